// What the kernels use of CUDA C, for a C++ compiler: a kernel is a plain function, called once per thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __grid_constant__

struct Index3 {
    unsigned int x, y, z;
};

extern thread_local Index3 gridDim, blockDim, blockIdx, threadIdx;

inline unsigned int atomicOr(unsigned int *at, unsigned int bits) {
    return __atomic_fetch_or(at, bits, __ATOMIC_RELAXED);
}

inline int __popc(unsigned int bits) { return __builtin_popcount(bits); }

inline unsigned int __float_as_uint(float x) {
    unsigned int bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline float __int_as_float(unsigned int bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// The nearest fp16, ties to even, as the device's conversion gives it.
inline unsigned short half_bits(float x) {
    unsigned int bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
        return 0x7fff;
    }
    if (magnitude >= 0x477ff000) {  // 65520, half way from the largest number to the next power of two
        return static_cast<unsigned short>(sign | 0x7c00);
    }
    if (magnitude < 0x33000001) {  // up to half of the smallest number
        return static_cast<unsigned short>(sign);
    }
    unsigned int exponent = magnitude >> 23, mantissa = (magnitude & 0x7fffff) | 0x800000;
    // Bits to drop: 13, and more where the result is subnormal.
    unsigned int drop = exponent < 113 ? 126 - exponent : 13;
    unsigned int kept = mantissa >> drop, rest = mantissa & ((1u << drop) - 1), middle = 1u << (drop - 1);
    kept += rest > middle || (rest == middle && (kept & 1));
    // A normal number's leading bit raises the exponent by one, hence 113.
    return static_cast<unsigned short>(sign | (exponent < 113 ? kept : kept + ((exponent - 113) << 10)));
}
