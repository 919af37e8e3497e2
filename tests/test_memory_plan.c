#include "job/pipeline.h"

#include "base/alloc.h"
#include "base/log.h"
#include "tests/suite.h"

#include <string.h>

/* The demo's job with 1,000 pictures that nobody has loaded. */
static Pipeline *pipeline(int batch)
{
    Pipeline *p = xcalloc(1, sizeof *p);
    log_quiet(true);
    ck_assert_msg(config_load(&p->job, "configs/jobs/demo.yaml", NULL, 0) == 0, "%s", error_text());
    p->job.largest.batch = p->job.supernet.batch = p->job.finetune.batch = batch;
    p->n_classes = 10;
    p->n_fit = 900;
    p->data.train = (Dataset){.n = 1000, .h = 16, .w = 16, .c = 3, .n_classes = 10};
    return p;
}

/* The first number of bytes, to 4 KiB, with which the training may begin. */
static uint64_t enough(const Pipeline *p)
{
    uint64_t least = 0, most = UINT64_C(1) << 40;
    while (most - least > 4096) {
        uint64_t middle = least + (most - least) / 2;
        if (pipeline_memory(p, middle) == 0)
            most = middle;
        else
            least = middle;
    }
    return most;
}

TEST(what_is_more_than_there_is_is_refused_with_what_would_help)
{
    Pipeline *p = pipeline(64);
    ck_assert_int_eq(pipeline_memory(p, UINT64_MAX), 0); /* nobody knows how much there is */
    ck_assert_int_eq(pipeline_memory(p, 1 << 20), -1);
    ck_assert_msg(strstr(error_text(), "and 1 MiB are free: fewer --threads"), "%s", error_text());
    free(p);
}
END

TEST(larger_batches_and_whole_searches_take_more)
{
    Pipeline *small = pipeline(16), *large = pipeline(256), *alone = pipeline(256);
    Genotype g = genotype_smallest(&alone->job.space, 0, 0);
    genotype_expand(&alone->job.space, &g, 10, &alone->given);
    alone->is_given = true;
    ck_assert_uint_lt(enough(small), enough(large));
    ck_assert_uint_lt(enough(alone), enough(large));
    free(small);
    free(large);
    free(alone);
}
END

TEST(a_supernet_that_is_trained_is_not_trained_again)
{
    Pipeline *p = pipeline(16);
    p->job.supernet.batch = 256;
    uint64_t whole = enough(p);
    ck_assert_int_eq(pipeline_memory(p, 1 << 20), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "a smaller train.supernet.batch or more shards"));
    p->is_trained = true;
    ck_assert_uint_lt(enough(p), whole);
    ck_assert_int_eq(pipeline_memory(p, 1 << 20), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "a smaller train.finetune.batch or more shards"));
    free(p);
}
END

TEST(a_teacher_that_learns_in_large_batches_takes_more)
{
    Pipeline *p = pipeline(16);
    p->job.finetune.teaching = 0.5;
    p->job.teacher.batch = 256;
    uint64_t before = enough(p);
    p->job.teacher.epochs = 1;
    ck_assert_uint_gt(enough(p), before);
    free(p);
}
END

SUITE(memory_plan, a_supernet_that_is_trained_is_not_trained_again,
      a_teacher_that_learns_in_large_batches_takes_more, what_is_more_than_there_is_is_refused_with_what_would_help,
      larger_batches_and_whole_searches_take_more)
