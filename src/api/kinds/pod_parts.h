/* pod_parts.h: the pieces of pod validation that call each other. The check stands at the part. */
#pragma once

#include "api/kinds/kinds.h"

/* volumes: names of the pod's volumes. */
void pod_container_validate(struct check *k, const val *container, const struct map *volumes);
void pod_resources_validate(struct check *k, const val *resources);
void pod_ids_validate(struct check *k, const val *security_context);
/* Probes and lifecycle of a container that may have them. */
void pod_probes_validate(struct check *k, const val *container);
void pod_tolerations_validate(struct check *k, const val *tolerations);
void pod_affinity_validate(struct check *k, const val *affinity);
