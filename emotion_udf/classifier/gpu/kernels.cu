// The parts of a DistilBERT layer that torch has no fast kernel for, in bf16 or fp16 with sums in fp32.
//
// Defined by the caller: DIM, the width of a token, a multiple of 8; HEAD, that of a head, 32 or 64; BF16, 1 or 0 for
// fp16; EPSILON, of the norms. No header is needed, so that NVRTC compiles it where there is no CUDA toolkit.

typedef unsigned short half_t;
typedef unsigned int u32;

__device__ __forceinline__ float low(u32 pair) {
#if BF16
    return __uint_as_float(pair << 16);
#else
    float out; asm("{.reg .b16 l,h; mov.b32 {l,h}, %1; cvt.f32.f16 %0, l;}" : "=f"(out) : "r"(pair)); return out;
#endif
}
__device__ __forceinline__ float high(u32 pair) {
#if BF16
    return __uint_as_float(pair & 0xffff0000u);
#else
    float out; asm("{.reg .b16 l,h; mov.b32 {l,h}, %1; cvt.f32.f16 %0, h;}" : "=f"(out) : "r"(pair)); return out;
#endif
}
__device__ __forceinline__ u32 pair_of(float l, float h) {
    u32 out;
#if BF16
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(h), "f"(l));
#else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(h), "f"(l));
#endif
    return out;
}
__device__ __forceinline__ float warp_sum(float x) {
    for (int step = 16; step; step >>= 1) x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

// Lane l holds the elements 8 (32 c + l) to 8 (32 c + l) + 7 of a row, for each c.
#define CHUNKS ((DIM / 8 + 31) / 32)

// out = LayerNorm(left + right) * gain + shift, all of one row, by one warp.
__device__ __forceinline__ void sum_norm(const half_t* left, const half_t* right, const half_t* gain,
                                         const half_t* shift, half_t* out, int lane) {
    const uint4* ls = (const uint4*)left;
    const uint4* rs = (const uint4*)right;
    float v[CHUNKS * 8];
    float sum = 0.f, squares = 0.f;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        int at = c * 32 + lane;
        if (at < DIM / 8) {
            uint4 l4 = ls[at], r4 = rs[at];
            const u32* l = (const u32*)&l4;
            const u32* r = (const u32*)&r4;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                v[c * 8 + 2 * i] = low(l[i]) + low(r[i]);
                v[c * 8 + 2 * i + 1] = high(l[i]) + high(r[i]);
                sum += v[c * 8 + 2 * i] + v[c * 8 + 2 * i + 1];
            }
        }
    }
    float mean = warp_sum(sum) * (1.f / DIM);
#pragma unroll
    for (int c = 0; c < CHUNKS; c++)
        if (c * 32 + lane < DIM / 8)
#pragma unroll
            for (int i = 0; i < 8; i++) squares += (v[c * 8 + i] - mean) * (v[c * 8 + i] - mean);
    float scale = rsqrtf(warp_sum(squares) * (1.f / DIM) + EPSILON);
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        int at = c * 32 + lane;
        if (at < DIM / 8) {
            uint4 g4 = ((const uint4*)gain)[at], s4 = ((const uint4*)shift)[at], o4;
            const u32* g = (const u32*)&g4;
            const u32* s = (const u32*)&s4;
            u32* o = (u32*)&o4;
#pragma unroll
            for (int i = 0; i < 4; i++)
                o[i] = pair_of((v[c * 8 + 2 * i] - mean) * scale * low(g[i]) + low(s[i]),
                               (v[c * 8 + 2 * i + 1] - mean) * scale * high(g[i]) + high(s[i]));
            ((uint4*)out)[at] = o4;
        }
    }
}

// The residual sum of x (rows, DIM) and a, normalized.
extern "C" __global__ void add_norm(const half_t* x, const half_t* a, const half_t* gain, const half_t* shift,
                                    half_t* out, int rows) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    long long at = (long long)row * DIM;
    sum_norm(x + at, a + at, gain, shift, out + at, lane);
}

// The sum of a token's two embeddings, normalized.
extern "C" __global__ void embed_norm(const half_t* words, const half_t* positions, const int* ids, const int* places,
                                      const half_t* gain, const half_t* shift, half_t* out, int rows) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    sum_norm(words + (long long)ids[row] * DIM, positions + (long long)places[row] * DIM, gain, shift,
             out + (long long)row * DIM, lane);
}

__device__ __forceinline__ void mma(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
#if BF16
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#endif
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// A lane's HEAD / 4 neighbouring columns of a row, as pairs; zeros where there is no such row.
template <int N> __device__ __forceinline__ void load(u32 (&to)[N], const half_t* from, bool there) {
    if (N == 2) {
        uint2 v = there ? *(const uint2*)from : make_uint2(0, 0);
        to[0] = v.x; to[1] = v.y;
    } else
#pragma unroll
        for (int i = 0; i < N / 4; i++) {
            uint4 v = there ? ((const uint4*)from)[i] : make_uint4(0, 0, 0, 0);
            to[4 * i] = v.x; to[4 * i + 1] = v.y; to[4 * i + 2] = v.z; to[4 * i + 3] = v.w;
        }
}

// Attention within rows that lie end to end. A warp takes 16 queries of one row and head; the products are those of the
// tensor cores, whose order of columns is chosen so that every lane reads and writes neighbouring ones.
extern "C" __global__ void attend(const half_t* q, const half_t* k, const half_t* v, half_t* out, const int* q_starts, const int* k_starts,
                                  int rows, int heads, int q_stride, int kv_stride, int tiles, float scale) {
    int item = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    int head = item % heads, row = item / heads % rows, tile = item / heads / rows;
    if (tile >= tiles) return;
    int q_first = q_starts[row] + tile * 16, q_end = q_starts[row + 1];
    if (q_first >= q_end) return;
    int k_first = k_starts[row], k_end = k_starts[row + 1];
    int group = lane / 4, member = lane % 4;
    const int PAIRS = HEAD / 8;  // a lane holds HEAD / 4 columns
    u32 q0[PAIRS], q1[PAIRS];
    long long column = head * HEAD;
    load(q0, q + (long long)(q_first + group) * q_stride + column + member * (HEAD / 4), q_first + group < q_end);
    load(q1, q + (long long)(q_first + group + 8) * q_stride + column + member * (HEAD / 4), q_first + group + 8 < q_end);
    float o[HEAD / 8][4];
#pragma unroll
    for (int i = 0; i < HEAD / 8; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) o[i][j] = 0.f;
    float top0 = -1e30f, top1 = -1e30f, sum0 = 0.f, sum1 = 0.f;
    for (int first = k_first; first < k_end; first += 16) {
        float s[2][4];
#pragma unroll
        for (int n = 0; n < 2; n++) {
            u32 keys[PAIRS];
            load(keys, k + (long long)(first + n * 8 + group) * kv_stride + column + member * (HEAD / 4), first + n * 8 + group < k_end);
            s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.f;
#pragma unroll
            for (int i = 0; i < PAIRS / 2; i++) mma(s[n], q0[2 * i], q1[2 * i], q0[2 * i + 1], q1[2 * i + 1], keys[2 * i], keys[2 * i + 1]);
#pragma unroll
            for (int j = 0; j < 4; j++) s[n][j] = first + n * 8 + member * 2 + (j & 1) < k_end ? s[n][j] * scale : -1e30f;
        }
        float new0 = fmaxf(fmaxf(s[0][0], s[0][1]), fmaxf(s[1][0], s[1][1])), new1 = fmaxf(fmaxf(s[0][2], s[0][3]), fmaxf(s[1][2], s[1][3]));
#pragma unroll
        for (int step = 1; step < 4; step <<= 1) {
            new0 = fmaxf(new0, __shfl_xor_sync(0xffffffffu, new0, step));
            new1 = fmaxf(new1, __shfl_xor_sync(0xffffffffu, new1, step));
        }
        new0 = fmaxf(new0, top0); new1 = fmaxf(new1, top1);
        float less0 = exp2f(top0 - new0), less1 = exp2f(top1 - new1);
        top0 = new0; top1 = new1; sum0 *= less0; sum1 *= less1;
#pragma unroll
        for (int i = 0; i < HEAD / 8; i++) { o[i][0] *= less0; o[i][1] *= less0; o[i][2] *= less1; o[i][3] *= less1; }
#pragma unroll
        for (int n = 0; n < 2; n++) {
            s[n][0] = exp2f(s[n][0] - top0); s[n][1] = exp2f(s[n][1] - top0); s[n][2] = exp2f(s[n][2] - top1); s[n][3] = exp2f(s[n][3] - top1);
            sum0 += s[n][0] + s[n][1]; sum1 += s[n][2] + s[n][3];
        }
        u32 a0 = pair_of(s[0][0], s[0][1]), a1 = pair_of(s[0][2], s[0][3]), a2 = pair_of(s[1][0], s[1][1]), a3 = pair_of(s[1][2], s[1][3]);
        // Of values a lane needs four rows; of each its own HEAD / 8 columns.
        u32 w[4][HEAD / 16];
#pragma unroll
        for (int r = 0; r < 4; r++) {
            int at = first + member * 2 + (r & 1) + (r >> 1) * 8;
            load(w[r], v + (long long)at * kv_stride + column + group * (HEAD / 8), at < k_end);
        }
#pragma unroll
        for (int i = 0; i < HEAD / 8; i++) {
            u32 sel = i & 1 ? 0x7632u : 0x5410u;
            mma(o[i], a0, a1, a2, a3, __byte_perm(w[0][i / 2], w[1][i / 2], sel), __byte_perm(w[2][i / 2], w[3][i / 2], sel));
        }
    }
#pragma unroll
    for (int step = 1; step < 4; step <<= 1) { sum0 += __shfl_xor_sync(0xffffffffu, sum0, step); sum1 += __shfl_xor_sync(0xffffffffu, sum1, step); }
    float by0 = 1.f / sum0, by1 = 1.f / sum1;
    // Tile i of the tensor cores holds columns n * HEAD / 8 + i; a lane has n = 2 member and 2 member + 1.
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int at = q_first + group + half * 8;
        if (at < q_end)
#pragma unroll
            for (int n = 0; n < 2; n++) {
                half_t* to = out + (long long)at * (heads * HEAD) + column + (member * 2 + n) * (HEAD / 8);
                float by = half ? by1 : by0;
                u32 p[HEAD / 16];
#pragma unroll
                for (int i = 0; i < HEAD / 16; i++) p[i] = pair_of(o[2 * i][half * 2 + n] * by, o[2 * i + 1][half * 2 + n] * by);
                if (HEAD == 64) *(uint4*)to = make_uint4(p[0], p[1], p[HEAD / 16 - 2], p[HEAD / 16 - 1]); else *(uint2*)to = make_uint2(p[0], p[1]);
            }
    }
}
