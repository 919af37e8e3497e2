#define HOST_NAME "avx_vnni"
#define HOST_TABLE host_avx_vnni
#include "evaluator/host_kernels.h"
