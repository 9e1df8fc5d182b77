/* other.h: tables and defaults of the workloads that other.c lists. */
#pragma once

#include "api/kinds/kinds.h"

#define OTHER_TABLE(name)                                                                          \
    extern const struct schema_column name##_columns[];                                            \
    void name##_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)

OTHER_TABLE(statefulset);
OTHER_TABLE(daemonset);
OTHER_TABLE(replicationcontroller);
OTHER_TABLE(podtemplate);
OTHER_TABLE(job);
OTHER_TABLE(cronjob);
OTHER_TABLE(autoscaler);

/* csr.c */
int csr_change_sub(struct strategy_ctx *c, val *obj, const val *body, struct err *err);
int csr_prepare_status(struct strategy_ctx *c, val *obj, const val *old, struct err *err);

void template_spec_defaults(struct strategy_ctx *c, val *obj); /* spec.template.spec */
void replicationcontroller_defaults(struct strategy_ctx *c, val *obj);
void job_defaults(struct strategy_ctx *c, val *obj);
void cronjob_defaults(struct strategy_ctx *c, val *obj);
