/* gojson.h: values as Go's encoding/json prints them. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "template/value.h"

struct gojson_style {
    bool html;   /* <, > and & as \u003c …: json.Marshal's default */
    bool pretty; /* json.MarshalIndent with two blanks */
};

/* Appends. Errors: NaN and infinities, functions, too deep nesting, in Go's words. */
int gojson_write(struct arena *a, struct buf *b, struct value v, struct gojson_style style,
                 struct err *err);
/* One string with its quotes. */
void gojson_quote(struct buf *b, struct str s, bool html);
/* A float as JSON has it: with an exponent below 1e-6 and from 1e21 on. */
void gojson_float(struct buf *b, double f, int bits);
