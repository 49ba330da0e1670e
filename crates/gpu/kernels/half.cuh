// Bits of the nearest fp16.
#pragma once

#ifdef __CUDA_ARCH__
__device__ inline unsigned short half_bits(float x) {
    unsigned short bits;
    asm("{ .reg .f16 h; cvt.rn.f16.f32 h, %1; mov.b16 %0, h; }" : "=h"(bits) : "f"(x));
    return bits;
}
#endif
