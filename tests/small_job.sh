#!/bin/sh
# small_job.sh DB [OPTION...]: the whole main job in seconds, on synthetic images.
# Shared by the tests that run the program; THIMBLE names it. COMMAND="train NET": that network alone.
set -eu
db=$1
shift
exec "${THIMBLE:-./thimble}" ${COMMAND:-search} configs/jobs/demo.yaml --db "$db" --quiet --set checkpoint=0 \
    --set data.synthetic.train=600 --set data.synthetic.test=100 --set stage1.samples=200 \
    --set train.largest.epochs=2 --set train.supernet.epochs=2 --set train.finetune.epochs=2 \
    --set stage2.population=12 --set stage2.parents=4 --set stage2.crossovers=6 \
    --set stage2.mutations=6 --set stage2.generations=3 --set quantize.calibration_images=32 \
    --set device.images=1 "$@"
