/* blas.h - which BLAS computes here, for `thimble version`. */
#ifndef BLAS_H
#define BLAS_H

/* "OpenBLAS 0.3.21, core Cooperlake, 1 thread" */
const char *blas_description(void);
/* One sentence when OPENBLAS_CORETYPE makes it slower than it could be, else NULL. */
const char *blas_warning(void);

#endif
