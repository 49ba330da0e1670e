// Boxes of a detector's output that score well enough, in the order of the output.
//
// Two launches, so that neither the order nor the choice among too many depends on scheduling: the first marks
// the survivors in a bit set, the second counts the bits below each one to find its place.

// f32[4 + classes + extras, boxes]: centre and size, scores, and what the task adds; a column per box.
struct Table {
    const float *data;
    int boxes, classes, extras;
};

// Words of a survivor before its extras: index, class, score, centre and size.
#define HEAD 7

// A box with a score that is no number survives, with NaN for its score, so that the host can count it.
extern "C" __global__ void candidates_scan(Table table, float threshold, unsigned int *bits, float *best_score,
                                           unsigned int *best_class) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= table.boxes) {
        return;
    }
    const float *scores = table.data + (size_t)4 * table.boxes + i;
    float best = __int_as_float(0xff800000), sum = 0.0f;
    unsigned int number = 0;
    for (int c = 0; c < table.classes; c++) {
        float score = scores[(size_t)c * table.boxes];
        if (score > best) {
            best = score;
            number = c;
        }
        sum += score;
    }
    bool sound = sum == sum;
    if (sound && best < threshold) {
        return;
    }
    best_score[i] = sound ? best : sum;
    best_class[i] = number;
    atomicOr(&bits[i / 32], 1u << (i % 32));
}

// `out` is the number of survivors, then those that there is room for.
extern "C" __global__ void candidates_gather(Table table, const unsigned int *bits, const float *best_score,
                                             const unsigned int *best_class, unsigned int capacity,
                                             unsigned int *out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= table.boxes) {
        return;
    }
    if (i == 0) {
        unsigned int count = 0;
        for (int w = 0; w < (table.boxes + 31) / 32; w++) {
            count += __popc(bits[w]);
        }
        out[0] = count;
    }
    unsigned int word = bits[i / 32], bit = 1u << (i % 32);
    if (!(word & bit)) {
        return;
    }
    unsigned int place = __popc(word & (bit - 1));
    for (int w = 0; w < i / 32; w++) {
        place += __popc(bits[w]);
    }
    if (place >= capacity) {
        return;
    }
    unsigned int *at = out + 1 + (size_t)place * (HEAD + table.extras);
    at[0] = i;
    at[1] = best_class[i];
    at[2] = __float_as_uint(best_score[i]);
    for (int row = 0; row < 4; row++) {
        at[3 + row] = __float_as_uint(table.data[(size_t)row * table.boxes + i]);
    }
    const float *extras = table.data + (size_t)(4 + table.classes) * table.boxes + i;
    for (int row = 0; row < table.extras; row++) {
        at[HEAD + row] = __float_as_uint(extras[(size_t)row * table.boxes]);
    }
}
