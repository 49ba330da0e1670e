// 8-bit YCbCr pictures, resized bilinearly and turned into normalised tensor values.
//
// Pixel centres are aligned and there is no antialiasing. Positions are exact: all of the arithmetic on them
// is in integers. Rows are blended in 256ths, columns in floats, and nothing is contracted into fused
// multiply-adds, so that the processor's path gives the same values.
#pragma once

// Samples in memory; 1 << shift_* pixels share a chroma sample.
struct Picture {
    const unsigned char *y, *u, *v;
    int y_pitch, u_pitch, v_pitch;
    int chroma_step;  // bytes from one chroma sample to the next: 1 planar, 2 interleaved
    int shift_x, shift_y;
};

// clamp(y * Y + u * Cb + v * Cr + bias, low, high), samples 256 times too large.
struct Channel {
    float y, u, v, bias, low, high, pad;
};

struct Channels {
    Channel of[3];
};

// Part of a side of a picture: pixels, at least 1.
struct Span {
    int start, length;
};

// Two neighbouring samples; the second one's share is rest / unit.
struct Tap {
    int first, second, rest, unit;
};

// Neighbours of sample `i` of `count`, made of `span`. Sides are at most 16384, so nothing overflows.
__device__ inline Tap tap(int i, int count, Span span, int shift) {
    int first = span.start >> shift;
    int last = (span.start + span.length - 1) >> shift;
    int unit = 2 * count << shift;
    int at = 2 * span.start * count + (2 * i + 1) * span.length - (count << shift);
    at = at < first * unit ? first * unit : at;
    at = at > last * unit ? last * unit : at;
    Tap t;
    t.first = (unsigned int)at / (unsigned int)unit;
    t.second = t.first < last ? t.first + 1 : last;
    t.rest = at - t.first * unit;
    t.unit = unit;
    return t;
}

// Share of the second row, in 256ths, rounded.
__device__ inline int share256(Tap t) { return (unsigned int)(t.rest * 256 + t.unit / 2) / (unsigned int)t.unit; }

__device__ inline float share(Tap t) { return (float)t.rest / (float)t.unit; }

// One plane at a place between four samples, times 256.
__device__ inline float sample(const unsigned char *plane, int pitch, int step, Tap x, float x_share, Tap y, int y_share) {
    const unsigned char *upper = plane + (size_t)y.first * pitch;
    const unsigned char *lower = plane + (size_t)y.second * pitch;
    int left = upper[x.first * step] * (256 - y_share) + lower[x.first * step] * y_share;
    int right = upper[x.second * step] * (256 - y_share) + lower[x.second * step] * y_share;
    return (float)left + ((float)right - (float)left) * x_share;
}

__device__ inline float value(const Channel &c, float y, float u, float v) {
    float x = c.y * y + c.u * u + c.v * v + c.bias;
    x = x < c.low ? c.low : x;
    return x > c.high ? c.high : x;
}

__device__ inline void store(float *out, float x) { *out = x; }

// The nearest fp16, ties to even.
__device__ inline void store(unsigned short *out, float x) { *out = half_bits(x); }

// Pixel (i, j) of `columns` x `rows`, made of a part of the picture, to `at` of three channels `plane` apart.
template <typename T>
__device__ inline void resample(const Picture &p, const Channels &channels, Span across, Span down, int i, int j,
                                int columns, int rows, T *at, size_t plane) {
    Tap x = tap(i, columns, across, 0), y = tap(j, rows, down, 0);
    Tap cx = tap(i, columns, across, p.shift_x), cy = tap(j, rows, down, p.shift_y);
    float luma = sample(p.y, p.y_pitch, 1, x, share(x), y, share256(y));
    float u = sample(p.u, p.u_pitch, p.chroma_step, cx, share(cx), cy, share256(cy));
    float v = sample(p.v, p.v_pitch, p.chroma_step, cx, share(cx), cy, share256(cy));
    for (int c = 0; c < 3; c++) {
        store(at + c * plane, value(channels.of[c], luma, u, v));
    }
}
