// Masks from prototypes: their sum, weighted with a box's coefficients, stretched to the box's pixels; 1 where
// that is above 0.

// A box in pixels of the frame, the prototypes under it, and where its results go.
struct MaskBox {
    int left, top, width, height;
    int column, columns, row, rows;
    unsigned int sums, pixels;
};

// Per pixel of a side: the prototype to its left, and the share of the one to its right.
struct MaskTap {
    unsigned int index;
    float share;
};

// One sum per prototype under each box; box blockIdx.y. The additions are grouped by four.
extern "C" __global__ void masks_sum(const float *prototypes, int count, int width, int height,
                                     const float *coefficients, const MaskBox *boxes, float *sums,
                                     unsigned int *unsound) {
    MaskBox box = boxes[blockIdx.y];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= box.columns * box.rows) {
        return;
    }
    size_t plane = (size_t)width * height;
    const float *p = prototypes + (size_t)(box.row + i / box.columns) * width + box.column + i % box.columns;
    const float *c = coefficients + (size_t)blockIdx.y * count;
    float sum = 0.0f;
    int j = 0;
    for (; j + 4 <= count; j += 4) {
        const float *q = p + j * plane;
        sum += (c[j] * q[0] + c[j + 1] * q[plane]) + (c[j + 2] * q[2 * plane] + c[j + 3] * q[3 * plane]);
    }
    for (; j < count; j++) {
        sum += c[j] * p[j * plane];
    }
    sums[box.sums + i] = sum;
    // Infinity less itself is no number either.
    if (!(sum - sum == 0.0f)) {
        atomicOr(&unsound[blockIdx.y], 1u);
    }
}

extern "C" __global__ void masks_stretch(const float *sums, const MaskBox *boxes, const MaskTap *columns,
                                         const MaskTap *rows, unsigned char *pixels) {
    MaskBox box = boxes[blockIdx.y];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= box.width * box.height) {
        return;
    }
    MaskTap x = columns[box.left + i % box.width], y = rows[box.top + i / box.width];
    int left = (int)x.index - box.column, upper = (int)y.index - box.row;
    int right = left + 1 < box.columns ? left + 1 : left;
    int lower = upper + 1 < box.rows ? upper + 1 : upper;
    const float *s = sums + box.sums;
    const float *a = s + (size_t)upper * box.columns, *b = s + (size_t)lower * box.columns;
    float above = a[left] + (a[right] - a[left]) * x.share;
    float below = b[left] + (b[right] - b[left]) * x.share;
    pixels[box.pixels + i] = above + (below - above) * y.share > 0.0f ? 1 : 0;
}
