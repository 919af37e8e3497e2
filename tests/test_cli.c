/* The program as a user runs it. THIMBLE names it (the Makefile does); from the project's root. */
#define _GNU_SOURCE
#include "tests/suite.h"

#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static char dir[] = "/tmp/thimble-cli-XXXXXX";

/* Runs a shell line in which $T is the program and $D a folder of this test;
 * returns its exit status and what it printed on both streams, yours to free. */
static int run(const char *line, char **said)
{
    const char *program = getenv("THIMBLE");
    char *command = xasprintf("T=%s; D=%s; %s", program ? program : "./thimble", dir, line);
    char *all = xasprintf("{ %s ; } 2>&1", command);
    FILE *f = popen(all, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = 0;
    char *text = xcalloc(1, 1 << 16);
    for (size_t got; n < (1 << 16) - 1 && (got = fread(text + n, 1, (1 << 16) - 1 - n, f)) > 0;)
        n += got;
    int status = pclose(f);
    free(all);
    free(command);
    if (said)
        *said = text;
    else
        free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void must(const char *line)
{
    char *said;
    int status = run(line, &said);
    ck_assert_msg(status == 0, "%s\n%s", line, said);
    free(said);
}

static void folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void no_folder(void)
{
    char *command = xasprintf("rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

#define SQL(db, text) "$T query --db " db " -f csv \"" text "\";"
#define COUNT(db, text) "test $($T query --db " db " -f csv \"" text "\" | tail -n 1 | tr -d '\\r') = "

typedef struct {
    const char *line;
    int status;
    const char *says; /* a part of the one sentence */
} Bad;

#define DEMO "$T search configs/jobs/demo.yaml --db $D/t.db --quiet "
#define IMAGES DEMO "--set data.format=images --set data.path=$D/"

#define TRAIN "$T train --db $D/good.db --quiet "

static const Bad bads[] = {
    /* arguments */
    {"$T", 2, "Usage: thimble COMMAND"},
    {"$T serch", 2, "there is no command 'serch', did you mean 'search'?"},
    {"$T search", 2, "which JOB.yaml?"},
    {"$T search a.yaml b.yaml", 2, "'b.yaml' is one argument too many"},
    {"$T search --sead 3 configs/jobs/demo.yaml", 2, "unrecognized option '--sead'"},
    {"$T search --threads 0 configs/jobs/demo.yaml", 2, "--threads must be a whole number from 1"},
    {"$T search --seed x configs/jobs/demo.yaml", 2, "--seed must be a whole number"},
    {"$T runs -f yaml --db $D/good.db", 2, "yaml"},
    {"$T export 1:best --db $D/good.db", 2, "where to? -o DIR"},
    {"$T run 1:best --on moon --db $D/good.db", 2, "--on moon: wants host or qemu:TARGET"},
    {"$T run 1:best --on qemu: --db $D/good.db", 2, "--on qemu:: wants host or qemu:TARGET"},
    /* configurations */
    {"$T calibrate --log a --seed 3", 2, "--nets and --seed are those of the log"},
    {"$T calibrate --log a --export b", 2, "--export writes a folder and fits nothing"},
    {"$T calibrate --log $D/none", 1, "cannot read"},
    {"$T calibrate --log README.md", 1, "README.md: no line begins with 'tb 1 begin'"},
    {"$T search $D/none.yaml", 2, "cannot read"},
    {"$T search none", 2, "there is no jobs/none.yaml; there are: "},
    {"$T search $D", 2, "cannot read"},
    {"echo 'sead: 1' > $D/j.yaml; $T search $D/j.yaml", 2, "j.yaml:1: unknown key 'sead', did you mean 'seed'?"},
    {"printf 'a: [1\\n' > $D/j.yaml; $T search $D/j.yaml", 2, "j.yaml:"},
    {DEMO "--set limits.sram=64kb", 2, "could be 1,000 or 1,024 bytes"},
    {DEMO "--set limits.sram=5MiB", 2, "limits.sram: 5,242,880 B (5120.0 KiB) is more than cortex-m7 has, 4,194,304 B"},
    {DEMO "--set limits.sarm=1", 2, "did you mean 'sram'?"},
    {DEMO "--set target=cortexm7", 2, "there is no targets/cortexm7.yaml; there are: cortex-m0plus, cortex-m3, "},
    {DEMO "--set schedule=steam", 2, "'steam' is not one of: layerwise, inplace, patch, stream"},
    {DEMO "--set schedule=tinyengine", 2, "schedule: tinyengine is an account of memory for `thimble space`"},
    {"$T search --supernet 1 --set schedule=tinyengine --db $D/good.db", 2, "tinyengine is an account of memory"},
    {DEMO "--set image=inside", 2, "'inside' is not one of: resident, outside"},
    {DEMO "--set stage2.algorithm=magic", 2, "'magic' is not one of: evolution, random"},
    {DEMO "--set limits.latency=100k --set limits.macs=2M", 1, "of flash, 2.00M MACs, 100.0k instructions (the best has 0)"},
    {DEMO "--set limits.sram=500", 1, "networks that fit 500 B (0.5 KiB) of SRAM"},
    {DEMO "--resume --set seed=7 --set limits.sram=200", 1, "raise the limits"},
    /* data sets */
    {IMAGES "none", 1, "none"},
    {IMAGES "empty", 1, "empty"},
    {IMAGES "hollow", 1, "cat"},
    {IMAGES "text", 1, "text"},
    {IMAGES "broken", 1, "broken"},
    {IMAGES "one", 1, "one class"},
    {IMAGES "few", 1, "of 2 training images 2 score candidates and 0 are left"},
    {DEMO "--set data.format=idx --set data.path=$D/empty", 1, "empty"},
    {DEMO "--set data.format=cifar10 --set data.path=$D/empty", 1, "empty"},
    {DEMO "--set data.format=raw --set data.path=$D/text --set data.raw.height=4", 2, "data.raw: height, width and channels"},
    /* databases */
    {"$T runs --db $D/none.db", 1, "none.db"},
    {"$T runs --db $D", 1, "folder"},
    {"$T runs --db $D/text.db", 1, "text.db"},
    {"$T search configs/jobs/demo.yaml --db $D/text.db", 1, "text.db"},
    {"$T search configs/jobs/demo.yaml --db $D/no/such/t.db", 1, "no/such"},
    {"$T runs --db $D/newer.db", 1, "newer"},
    {"$T candidates 99 --db $D/good.db", 1, "there is no run 99"},
    {"$T pareto 1 --by sram,energy --db $D/good.db", 2, "--by: 'energy' is no cost: they are sram, flash, macs"},
    {"$T show 1:9999 --db $D/good.db", 1, "no candidate 9999"},
    {"$T show x:y --db $D/good.db", 1, "'x' is no run"},
    {"$T search --resume 99 --db $D/good.db", 1, "there is no run 99"},
    {"$T search --supernet 99 --db $D/good.db", 1, "there is no run 99"},
    {"$T search 1 --supernet 1 --db $D/good.db", 2, "1: to continue a run, say --resume"},
    {"$T search --supernet 1 --seed 7 --db $D/good.db", 2, "seed=7: the supernet of run 1 was not trained so"},
    {"$T search --supernet 1 --set data.synthetic.train=9 --db $D/good.db", 2, "data.synthetic.train=9: the supernet of"},
    {"$T search --supernet 1 --set 'space.widths=[8]' --db $D/good.db", 1, "which is none of the job's space 'tiny'"},
    {"$T search --resume 1 --set seed=3 --db $D/good.db", 2, "a resumed run keeps its job"},
    {"$T query --db $D/good.db 'DELETE FROM run'", 1, ""},
    {"$T query --db $D/good.db 'SELECT sarm FROM candidate'", 1, "sarm"},
    /* one network alone */
    {"$T train", 2, "which NET? a NET.yaml, RUN:NUMBER or a genotype"},
    {"$T train $D/net.yaml", 2, "on what? NET JOB.yaml"},
    {"$T train a b c", 2, "'c' is one argument too many"},
    {"$T train $D/net.yaml $D/none.yaml", 2, "cannot read"},
    {TRAIN "$D/none.yaml demo", 1, "cannot read"},
    {TRAIN "$D/two.yaml demo", 1, "two.yaml:5: block 0 takes 9 channels, but gets 8"},
    {TRAIN "$D/net.yaml demo --set data.channels=1", 1, "net.yaml: it takes 3 channels, the data has 1"},
    {TRAIN "$D/se.yaml demo", 1, "a lookup, is one that cannot be trained"},
    {TRAIN "w0.5-r16x16/k9e4 demo", 1, "not a network of the space 'tiny'"},
    {TRAIN "README.md demo", 1, "what is trained is a NET.yaml, a genotype, RUN:best or RUN:NUMBER"},
    {TRAIN "1:999 demo", 1, "no candidate 999"},
    {TRAIN "1:best demo --resolution 16", 1, "--resolution is for a NET.yaml"},
    {TRAIN "$D/net.yaml demo --set limits.sram=1KiB", 1, "of SRAM, the limit is 1,024 B"},
    {TRAIN "$D/net.yaml demo --set limits.macs=50k", 1, "89.8k of MACs, the limit is 50.0k"},
    {TRAIN "$D/net.yaml demo --set train.finetune.teaching=0.5", 2, "there is no supernet whose largest network could teach"},
    {TRAIN "--resume 99", 1, "there is no run 99"},
    {TRAIN "--resume 1 --epochs 3", 2, "a resumed run keeps its job"},
    /* exporting */
    {"$T export 1:best --db $D/good.db -o $D/text", 1, "text"},
    {"$T run 1:best --db $D/good.db --on qemu:nothing", 1, "there is no targets/nothing.yaml"},
    {"$T run 1:best --db $D/good.db --schedule backwards", 2, "backwards"},
    {"$T run 1:best --db $D/good.db --schedule tinyengine", 2, "tinyengine"},
    {"$T export 1:best --db $D/good.db --schedule tinyengine -o $D/out", 2, "tinyengine"},
};

/* A picture of one pixel. */
#define PNG                                                                                        \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

static void make_bad_things(void)
{
    must("cd $D && mkdir -p one/a few/train/a few/train/b few/test/a few/test/b && "
         "echo " PNG " | base64 -d > one/a/1.png && for d in few/*/*; do cp one/a/1.png $d/; done");
    must("tests/small_job.sh $D/good.db --set device.images=1");
    must("mkdir -p $D/empty $D/hollow/cat $D/hollow/dog $D/text/a $D/text/b $D/broken/a $D/broken/b");
    must("echo no picture | tee $D/text/a/1.txt $D/text/b/1.txt $D/hollow/dog/1.txt > $D/text.db");
    must("printf '\\377\\330\\377\\340 cut short' | tee $D/broken/a/1.jpg > $D/broken/b/1.jpg");
    /* user_version is a big-endian number at byte 60 of a SQLite file */
    must("cp $D/good.db $D/newer.db; printf '\\0\\0\\0\\143' | dd of=$D/newer.db bs=1 seek=60 conv=notrunc "
         "2> /dev/null");
}

/* A network by hand; the same with a slip, and with squeeze-and-excite. */
static void make_nets(void)
{
    must("printf 'resolution: 16\ninput_channels: 3\nfirst_conv: {out: 8, k: 3, stride: 2}\nblocks:\n"
         "  - {in: 8, mid: 24, out: 8, k: 3, stride: 1, residual: true, pw1: true}\n"
         "  - {in: 8, mid: 32, out: 16, k: 5, stride: 2, pw1: true}\n"
         "classifier: {in: 16, out: 3, bias: true}\n' > $D/net.yaml && "
         "sed 's/in: 8, mid: 24/in: 9, mid: 24/' $D/net.yaml > $D/two.yaml && "
         "sed 's/k: 5,/k: 5, se: 8,/' $D/net.yaml > $D/se.yaml");
}

/* Beside it only what data was read. */
static bool one_sentence(const char *said)
{
    if (strncmp(said, "data: ", 6) == 0)
        said = strchr(said, '\n') + 1;
    const char *end = strchr(said, '\n');
    return end && end[1] == 0;
}

TEST(what_is_wrong_gets_one_clear_sentence_and_the_right_status)
{
    folder();
    make_bad_things();
    make_nets();
    bool show = getenv("SHOW_MESSAGES") != NULL;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        const Bad *b = &bads[i];
        char *said;
        int status = run(b->line, &said);
        if (show)
            printf("%s\n    -> %d  %s", b->line, status, said);
        ck_assert_msg(status == b->status, "%s\n  status %d, wanted %d\n  %s", b->line, status, b->status,
                      said);
        ck_assert_msg(strstr(said, b->says) != NULL, "%s\n  wanted %s\n  said   %s", b->line, b->says, said);
        ck_assert_msg(i == 0 || strstr(b->line, "broken") || one_sentence(said), "%s\n  said %s", b->line, said);
        free(said);
    }
    must(COUNT("$D/good.db", "PRAGMA integrity_check") "ok");
    no_folder();
}
END

#define RESULT(db)                                                                                 \
    SQL(db, "SELECT number, genotype, fitness, accuracy, images, final_fitness, test_accuracy, int8_accuracy, sram, flash, macs, " \
            "latency FROM candidate ORDER BY number")                                              \
    SQL(db, "SELECT number, accuracy, sram, flash, macs, latency FROM pareto ORDER BY number")     \
    SQL(db, "SELECT phase, epoch, loss, train_accuracy FROM epoch ORDER BY 1, 2")                  \
    SQL(db, "SELECT name, hex(data) FROM blob WHERE name LIKE 'int8:%'")

/* As t.db's one thread did. Sanitizers are slow, and see both in the other sentences. */
static void same_with_two_threads(const char *options)
{
    char *line = xasprintf("tests/small_job.sh $D/2.db --threads 2 %s", options);
    if (!SANITIZED) {
        must(line);
        must("(" RESULT("$D/t.db") ") > $D/1; (" RESULT("$D/2.db") ") > $D/2; test -s $D/1 && cmp $D/1 $D/2");
    }
    free(line);
}

TEST(one_thread_and_two_find_the_same_to_the_last_bit)
{
    folder();
    must("tests/small_job.sh $D/t.db --threads 1");
    same_with_two_threads("");
    no_folder();
}
END

#define THREE_ACTS "--set stage2.stop=1 --set stage2.finalists=4 --set stage2.predictor.after=24 "      \
                   "--set stage2.predictor.checked=5 --set stage2.score=cross_entropy "             \
                   "--set data.synthetic.train=2000 --set validation=0.2 --set stage2.score_images=300"

/* Of 400 validation images the candidates see 300, some fewer, and the finalists all. */
TEST(stage_2_may_stop_early_ask_a_predictor_and_have_finals)
{
    folder();
    must("tests/small_job.sh $D/t.db --threads 1 --set limits.macs=5M " THREE_ACTS " > $D/said");
    must("grep -q 'best finalist by cross entropy on all the validation images$' $D/said");
    must("grep -q '^  MACs  *[0-9.]*[kM] of 5.00M$' $D/said && grep -q '^  latency .* instructions$' $D/said");
    same_with_two_threads("--set limits.macs=5M " THREE_ACTS);
    must(COUNT("$D/t.db", "SELECT count(*) FROM candidate WHERE state = 'done'") "29");
    must(COUNT("$D/t.db", "SELECT count(*) FROM candidate WHERE generation = 2") "5");
    must(COUNT("$D/t.db", "SELECT min(images < 300) FROM candidate WHERE accuracy IS NULL") "1");
    must(COUNT("$D/t.db", "SELECT min(images) FROM candidate WHERE accuracy NOT NULL") "300");
    /* the finalists were the four best, and the best of them won */
    must(COUNT("$D/t.db", "SELECT count(*) FROM candidate AS c WHERE final_fitness > 0 AND 4 > (SELECT count(*) "
                          "FROM candidate AS d WHERE d.fitness > c.fitness)") "4");
    must(COUNT("$D/t.db", "SELECT count(*) FROM candidate AS c JOIN run ON winner = c.id WHERE "
                          "final_fitness = (SELECT max(final_fitness) FROM candidate)") "1");
    must(COUNT("$D/t.db", "SELECT sum(scored) FROM generation WHERE seconds > 0") "29");
    must("n=$($T query --db $D/t.db -f csv 'SELECT number FROM best' | tail -n 1 | tr -d '\\r'); "
         "$T candidates 1 --db $D/t.db | sed -n 3p | grep -q \"^ *$n .*\"");
    must("$T candidates 1 --db $D/t.db -f csv | head -n 1 | grep -q final_fitness,final_accuracy");
    must("$T show 1 --db $D/t.db | grep -q '^speed  *[0-9][0-9]* evaluations a minute'");
    must("$T show 1:best --db $D/t.db | grep -q '^final .* of all validation images'");
    no_folder();
}
END

/* Recorded, shown, exported and run as a search's winner is. */
TEST(a_network_made_by_hand_is_trained_proved_and_kept_like_a_winner)
{
    folder();
    make_nets();
    must("COMMAND=\"train $D/net.yaml\" tests/small_job.sh $D/t.db > $D/said");
    must("grep -q '^Network: net at 16x16, trained alone' $D/said");
    must(COUNT("$D/t.db", "SELECT state = 'done' AND genotype = 'net' AND accuracy >= 0 AND int8_accuracy "
                          ">= 0 AND sram = 2968 FROM candidate") "1");
    must(COUNT("$D/t.db", "SELECT count(*) FROM epoch WHERE phase = 'train'") "2");
    must("$T runs --db $D/t.db && $T candidates 1 --db $D/t.db && $T show 1:best --db $D/t.db && "
         "$T run 1:best --db $D/t.db --images 20 && $T export 1:best -o $D/out --db $D/t.db && "
         "$T profile 1:best --db $D/t.db");
    must("test $($T export 1:best -o $D/out --db $D/t.db | wc -l) -gt 0 && test -s $D/out/model.c");
    /* the same network again is the same run, trained from a run it is another with the same net */
    must("COMMAND=\"train $D/net.yaml\" tests/small_job.sh $D/t.db --resume | grep -q 'run 1 is done'");
    must("COMMAND='train 1:best' tests/small_job.sh $D/t.db --resume | grep -q 'run 1 is done'");
    must("COMMAND='train 1:best' tests/small_job.sh $D/t.db --seed 2");
    must(COUNT("$D/t.db", "SELECT count(DISTINCT hash) FROM candidate") "1");
    must(COUNT("$D/t.db", "SELECT count(DISTINCT data) FROM blob WHERE name = 'int8:0'") "2");
    must("! $T search --supernet 1 --db $D/t.db 2> $D/why && grep -q 'trained one network alone, no supernet' $D/why");
    no_folder();
}
END

TEST(a_killed_job_resumes_to_the_same_result)
{
    must("THIMBLE=$T tests/kill_resume.sh 1");
    if (SANITIZED) /* which are slow, and see the rest in the other sentences */
        return;
    must("THIMBLE=$T tests/kill_resume.sh 1 --set stage1.resolutions=2 --set train.supernet.sandwich=true"
         " --set train.finetune.teaching=0.5 --set train.teacher.epochs=1 --set train.finetune.mixup=0.3"
         " --set train.finetune.all_images=true " THREE_ACTS);
    folder();
    make_nets();
    must("THIMBLE=$T COMMAND=\"train $D/net.yaml\" tests/kill_resume.sh 1 --set train.finetune.epochs=9 "
         "--set train.finetune.netaug.width=1.5");
    no_folder();
}
END

/* The board fails once, long after the search: what is resumed then is the winner's work. */
TEST(a_search_that_its_seconds_ended_ends_there_again)
{
    if (run("command -v arm-none-eabi-gcc qemu-system-arm > /dev/null", NULL) != 0)
        SKIP_LACKING("arm-none-eabi-gcc or qemu-system-arm");
    folder();
    must("mkdir $D/bin && printf '#!/bin/sh\nexit 1\n' > $D/bin/qemu-system-arm && chmod +x $D/bin/*");
    must("! PATH=$D/bin:$PATH tests/small_job.sh $D/t.db --set stage2.seconds=0.05 --set "
         "stage2.generations=100000 2> $D/why");
    must(SQL("$D/t.db", "SELECT number, fitness FROM candidate") " > $D/before; $T search --resume --quiet "
         "--db $D/t.db; " SQL("$D/t.db", "SELECT number, fitness FROM candidate") " > $D/after; "
         "cmp $D/before $D/after");
    must(COUNT("$D/t.db", "SELECT state FROM run") "done");
    no_folder();
}
END

/* A run that fails as soon as it has seen its classes. */
TEST(a_run_goes_on_where_its_images_have_moved_to)
{
    folder();
    must("mkdir -p $D/p/a $D/p/b && for i in $(seq 16); do echo " PNG " | base64 -d | tee $D/p/a/$i.png > "
         "$D/p/b/$i.png; done");
    must("! tests/small_job.sh $D/t.db --set data.format=images --set data.path=$D/p --set limits.sram=500 "
         "2> $D/why && grep -q 'raise the limits' $D/why && mv $D/p $D/q");
    must("! $T search --resume --quiet --db $D/t.db 2> $D/why && grep -q 'there is no folder' $D/why");
    must("! $T search --resume --set data.path=$D/q --quiet --db $D/t.db 2> $D/why && grep -q 'raise the limits' $D/why");
    must("! $T search --resume --quiet --db $D/t.db 2> $D/why && grep -q 'raise the limits' $D/why");
    must(COUNT("$D/t.db", "SELECT count(*) FROM run") "1");
    no_folder();
}
END

TEST(a_trained_supernet_serves_other_limits_and_the_random_baseline)
{
    folder();
    must("tests/small_job.sh $D/t.db");
    must("$T search --supernet 1 --quiet --db $D/t.db --algorithm random");
    must("$T search --supernet 1 --quiet --db $D/t.db --algorithm aging --set stage2.evaluations=6 --set stage2.stop=1 "
         "2> $D/why && grep -q 'aging draws at random and breeds nothing' $D/why && grep -q \"evolution's alone\" $D/why");
    must("$T search --supernet 1 --quiet --db $D/t.db --set limits.sram=13KiB --set limits.flash=30KiB "
         "--set stage1.min_feasible=1");
    must(COUNT("$D/t.db", "SELECT count(*) FROM candidate WHERE run = 4 AND (sram > 13 * 1024 OR flash > 30 "
                          "* 1024)") "0");
    must(COUNT("$D/t.db", "SELECT count(*) FROM candidate WHERE run = 2") "48");
    /* nothing was trained again but the winners */
    must(COUNT("$D/t.db", "SELECT count(*) FROM epoch WHERE run > 1 AND phase <> 'finetune'") "0");
    must(COUNT("$D/t.db", "SELECT count(DISTINCT hex(data)) FROM blob WHERE name = 'supernet'") "1");
    must(COUNT("$D/t.db", "SELECT count(*) FROM run WHERE id > 1 AND supernet = 1") "3");
    must("$T show 2 --db $D/t.db | grep -q '^supernet *of run 1$'");
    must("$T runs --db $D/t.db && $T candidates 2 --db $D/t.db && $T show 4 --db $D/t.db && $T show 4:best --db $D/t.db");
    no_folder();
}
END

/* The winner's resolution, and how many candidates have another. */
#define ITS_OWN "substr(genotype, 1, instr(genotype, '/'))"
#define OTHERS                                                                                     \
    " FROM candidate WHERE run = 1 AND " ITS_OWN " <> (SELECT " ITS_OWN                            \
    " FROM candidate WHERE id = (SELECT winner FROM run WHERE id = 1))"

#define ELASTIC                                                                                    \
    "--set stage1.resolutions=3 --set data.channels=1 "                                            \
    "--set 'space.resolutions=[20x32, 28x16, 36x12, 16x16]' --set stage1.min_feasible=10"

/* Wide, tall and gray besides. */
TEST(of_several_resolutions_every_network_has_its_own)
{
    folder();
    must("tests/small_job.sh $D/t.db --threads 1 " ELASTIC " > $D/said 2>&1 || { cat $D/said; exit 1; }");
    must("grep -q '^Space: tiny, width .* at 36x12, 28x16 and 20x32$' $D/said");
    must("$T show 1 --db $D/t.db | grep -q '^resolutions  *36x12, 28x16, 20x32$'");
    same_with_two_threads(ELASTIC);
    must(COUNT("$D/t.db", "SELECT count(DISTINCT " ITS_OWN ") FROM candidate") "3");
    must("o=$($T query --db $D/t.db -f csv \"SELECT '1:' || min(number)" OTHERS "\" | tail -n 1 | tr -d '\\r'); "
         "$T run $o --db $D/t.db --images 20 && $T export $o -o $D/out --db $D/t.db && make -s -C $D/out host");
    must("$T run 1:best --db $D/t.db --images 20");
    must("$T search --supernet 1 --quiet --db $D/t.db --set limits.sram=9KiB --set stage1.resolutions=2");
    must(COUNT("$D/t.db", "SELECT count(*) FROM epoch WHERE run = 2 AND phase <> 'finetune'") "0");
    must(COUNT("$D/t.db", "SELECT max(sram) <= 9216 AND count(DISTINCT " ITS_OWN ") = 2 FROM candidate "
                          "WHERE run = 2") "1");
    no_folder();
}
END

TEST(a_damaged_picture_is_named_once_however_many_resolutions_it_lacks)
{
    folder();
    must("mkdir -p $D/p/a $D/p/b && for i in $(seq 16); do echo " PNG " | base64 -d | tee $D/p/a/$i.png > "
         "$D/p/b/$i.png; done; echo no picture > $D/p/b/17.png");
    must("tests/small_job.sh $D/t.db --set stage1.resolutions=3 --set data.format=images --set data.path=$D/p "
         "2> $D/why && test $(grep -c '17.png.* is left out' $D/why) = 1 && test $(wc -l < $D/why) = 1");
    no_folder();
}
END

#define STORED(run, key)                                                                           \
    "$T query --db $D/t.db -f csv 'SELECT config FROM run WHERE id = " #run "' | grep -q '^  " key "'"

/* The run's own are 12, 4, 6, 6 and 3: 48 evaluations. nsga2's are 20, 10, 10, aging's 10 mutants. */
TEST(another_algorithm_in_the_same_supernet_has_sizes_of_its_own_and_as_many_evaluations)
{
    folder();
    must("tests/small_job.sh $D/t.db");
    must("$T search --supernet 1 --db $D/t.db --algorithm nsga2 "
         "--set 'stage2.objectives=[accuracy, sram]' > $D/said 2>&1 || { cat $D/said; exit 1; }");
    must(STORED(2, "population: 20"));
    must(STORED(2, "crossovers: 10"));
    must(STORED(2, "mutations: 10"));
    must("$T search --supernet 1 --quiet --db $D/t.db --algorithm aging --set stage2.population=8");
    must(STORED(3, "population: 8"));
    must(STORED(3, "crossovers: 0"));
    must(STORED(3, "mutations: 10"));
    must(COUNT("$D/t.db", "SELECT count(*) FROM (SELECT max(evaluated) AS n FROM generation "
                          "GROUP BY run) WHERE n = 48") "3");
    /* what is told of a generation is what is recorded of it */
    must(COUNT("$D/t.db", "SELECT count(*) FROM generation WHERE run = 2 AND front > 0 "
                          "AND hypervolume > 0") "3");
    must("h=$($T query --db $D/t.db \"SELECT printf('front %d, hypervolume %.4f', front, "
         "hypervolume) FROM generation WHERE run = 2 AND generation = 2\" | tail -n 1); grep 'stage 2: "
         "generation 2, 48 of 48 evaluations, .* % of drawn fit, accuracy best' $D/said | "
         "grep \"$h, elapsed .* s, left 0 s\"");
    must("$T show 2 --db $D/t.db | grep -q '^front .* candidates, hypervolume 0[.]'");
    no_folder();
}
END

TEST(an_exported_network_builds_and_answers_as_it_did_here)
{
    folder();
    must("tests/small_job.sh $D/t.db");
    must("$T export 1:best -o $D/out --db $D/t.db && make -s -C $D/out host");
    must("$T export 1:3 -o $D/other --db $D/t.db && test -s $D/other/model.c"); /* supernet's weights */
    must("$T run 1:best --db $D/t.db --images 50");
    if (system("arm-none-eabi-gcc --version > /dev/null 2>&1 && qemu-system-arm --version > /dev/null 2>&1") == 0) {
        must("make -s -C $D/out");
        must("$T run 1:best --db $D/t.db --on qemu:cortex-m7");
        must("$T run 1:best --db $D/t.db --on qemu:cortex-m4 --schedule layerwise --images 2");
        must("$T run 1:best --db $D/t.db --on qemu:cortex-m3 --images 1 > $D/m3");
        must("grep -q \"latency  *- .*no calibration\" $D/m3");
    } else {
        printf("SKIPPED %s: arm-none-eabi-gcc or qemu-system-arm is not there\n", __func__);
    }
    no_folder();
}
END

#define ON_A_BOARD "command -v arm-none-eabi-gcc qemu-system-arm > /dev/null"
#define LAYERS SQL("$D/t.db", "SELECT l.* FROM layer AS l JOIN run AS r ON l.candidate = r.winner")

/* In so little that some segments have several layers. */
TEST(a_streamed_winner_is_recorded_segment_by_segment)
{
    folder();
    must("tests/small_job.sh $D/t.db --set limits.sram=8KiB --set image=outside");
    must(COUNT("$D/t.db", "SELECT image = 'outside' AND policy = 'stream' AND max(segment) < max(l.number)"
                          " AND max(live) <= c.sram AND c.sram <= 8192 AND sum(l.macs) = c.macs AND"
                          " abs(sum(l.latency) / c.latency - 1) < 0.01 FROM run AS r JOIN candidate AS c"
                          " ON c.id = r.winner JOIN layer AS l ON l.candidate = c.id") "1");
    must("$T show 1:best --db $D/t.db | grep -q 'input image outside, policy stream'");
    if (run(ON_A_BOARD, NULL) == 0) {
        must(COUNT("$D/t.db", "SELECT m.image = 'outside' AND arena = predicted_arena AND n_equal = n_inputs"
                              " AND count(measured) = count(DISTINCT segment) AND"
                              " abs(sum(measured) / m.instructions - 1) < 0.01"
                              " FROM measurement AS m JOIN layer AS l USING (candidate)") "1");
        must(LAYERS " > $D/before; $T run 1:best --db $D/t.db --on qemu:cortex-m7 --schedule layerwise");
        must(LAYERS " > $D/after; cmp $D/before $D/after"); /* what runs otherwise is not the winner's */
        must(COUNT("$D/t.db", "SELECT count(*) FROM measured") "2");
    } else {
        printf("SKIPPED the board in %s: arm-none-eabi-gcc or qemu-system-arm is not there\n", __func__);
    }
    no_folder();
}
END

/* The example, as if it had come from a board: then a search may ask for energy. */
TEST(a_boards_log_becomes_its_profile_or_nothing_is_written)
{
    folder();
    must("sed 's/cortex-m4 runtime/mine runtime/; s/ instructions / cycles /' "
         "tests/boards/cortex-m4.log > $D/board.log");
    must("printf 'name: mine\ncore: cortex-m4\nsram: 256KiB\nflash: 1MiB\nclock: 80MHz\n"
         "power: 30mW\n' > $D/mine.yaml");
    must("head -n 100 $D/board.log > $D/half.log; ! $T calibrate --target $D/mine.yaml --log "
         "$D/half.log -o $D/cycles.yaml 2> $D/why && grep -q 'half.log:100: the log stops here' "
         "$D/why && test \"$(ls $D)\" = \"$(printf 'board.log\nhalf.log\nmine.yaml\nwhy')\"");
    must("$T calibrate --target $D/mine.yaml --log $D/board.log -o $D/cycles.yaml && grep -q "
         "'source: \"the board mine, board.log, 72 plans' $D/cycles.yaml && grep -q 'unit: "
         "\"cycles\"' $D/cycles.yaml");
    must("sed -i '1i include: cycles.yaml' $D/mine.yaml; $T search configs/jobs/demo.yaml --set "
         "target=$D/mine.yaml --set limits.energy=1nJ --db $D/t.db > $D/why 2>&1; grep -q "
         "'is not an energy' $D/why");
    must("printf 'resolution: 8\ninput_channels: 3\nfirst_conv: {out: 4, k: 3, stride: 2, act: "
         "relu6}\nblocks: []\nclassifier: {in: 4, out: 2, bias: true}\n' > $D/net.yaml && "
         "$T profile $D/net.yaml --target $D/mine.yaml | grep -q ' ms at 80 MHz; energy .* at 30 mW'");
    no_folder();
}
END

TEST(every_command_explains_itself_on_one_screen)
{
    must("for c in search train space runs candidates pareto show query export run calibrate targets version; do "
         "n=$($T $c --help | wc -l); test $n -gt 3 -a $n -le 45 || { echo $c: $n lines; exit 1; }; done");
    must("$T --help | grep -q search && $T help > /dev/null && $T help space | grep -q classes");
    must("$T targets && $T version 2>/dev/null | grep -q OpenBLAS");
    must("$T space configs/jobs/demo.yaml -f json > /dev/null");
}
END

SUITE(cli, what_is_wrong_gets_one_clear_sentence_and_the_right_status,
      one_thread_and_two_find_the_same_to_the_last_bit,
      stage_2_may_stop_early_ask_a_predictor_and_have_finals,
      a_network_made_by_hand_is_trained_proved_and_kept_like_a_winner,
      a_killed_job_resumes_to_the_same_result,
      a_search_that_its_seconds_ended_ends_there_again,
      a_run_goes_on_where_its_images_have_moved_to,
      a_trained_supernet_serves_other_limits_and_the_random_baseline,
      of_several_resolutions_every_network_has_its_own,
      a_damaged_picture_is_named_once_however_many_resolutions_it_lacks,
      another_algorithm_in_the_same_supernet_has_sizes_of_its_own_and_as_many_evaluations,
      an_exported_network_builds_and_answers_as_it_did_here,
      a_streamed_winner_is_recorded_segment_by_segment,
      a_boards_log_becomes_its_profile_or_nothing_is_written,
      every_command_explains_itself_on_one_screen)
