/* service.h: questions about a Service that both its files ask. */
#pragma once

#include "api/kinds/kinds.h"

bool service_is(const val *obj, const char *type);
bool service_is_headless(const val *obj);
bool service_needs_ip(const val *obj);
bool service_needs_node_ports(const val *obj);
bool service_is_external(const val *obj);
bool service_needs_health_check(const val *obj);

void service_validate(struct strategy_ctx *c, const val *obj, val *causes);
void service_validate_update(struct strategy_ctx *c, const val *obj, const val *old, val *causes);
