/* Which of the nodes that would do is the best? The weights are those of upstream's default
 * profile. */
#include "control/scheduler.h"

enum { BEST = 100, W_TAINTS = 3, W_AFFINITY = 2, W_SPREAD = 2 };

static int64_t left_over(int64_t used, int64_t all)
{
    return all <= 0 || used > all ? 0 : (all - used) * BEST / all;
}

/* The distance between the shares of CPU and memory in use, halved: their standard deviation. */
static int64_t balance(int64_t cpu, int64_t all_cpu, int64_t memory, int64_t all_memory)
{
    double a = all_cpu > 0 ? (double)cpu / (double)all_cpu : 1;
    double b = all_memory > 0 ? (double)memory / (double)all_memory : 1;
    double d = (a > 1 ? 1 : a) - (b > 1 ? 1 : b);
    return (int64_t)((1 - (d < 0 ? -d : d) / 2) * BEST);
}

int64_t score(const struct needs *n, const struct item *pod, const struct slot *s, size_t at)
{
    const struct amounts *all = &s->item->node->allocatable;
    int64_t cpu = s->used.cpu_nonzero + pod->pod->cpu_nonzero;
    int64_t memory = s->used.memory_nonzero + pod->pod->memory_nonzero;
    int64_t sum = (left_over(cpu, all->cpu) + left_over(memory, all->memory)) / 2;
    sum += balance(cpu, all->cpu, memory, all->memory);
    sum += W_TAINTS * (n->most_dislike ? BEST - BEST * n->dislike[at] / n->most_dislike : BEST);
    if (n->most_preference)
        sum += W_AFFINITY * BEST * n->preference[at] / n->most_preference;
    sum += W_SPREAD * (n->most_siblings ? BEST - BEST * n->siblings[at] / n->most_siblings : BEST);
    return sum;
}
