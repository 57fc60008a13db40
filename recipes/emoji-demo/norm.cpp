// Group norm and SiLU in one, forwards and backwards, for bfloat16 in channels-last order: one pass to measure, one to compute.

#include <torch/extension.h>

#include <cmath>
#include <cstring>
#include <vector>

namespace {

inline float widen(uint16_t bits) {
    uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
}

inline uint16_t narrow(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float sigmoid(float value) { return 1.0f / (1.0f + std::exp(-value)); }

const uint16_t* values(const at::Tensor& tensor) { return reinterpret_cast<const uint16_t*>(tensor.data_ptr<at::BFloat16>()); }
uint16_t* values(at::Tensor& tensor) { return reinterpret_cast<uint16_t*>(tensor.data_ptr<at::BFloat16>()); }

struct Sizes {
    int64_t n, pixels, channels, groups, per_group;

    Sizes(const at::Tensor& x, int64_t groups)
        : n(x.size(0)), pixels(x.size(2) * x.size(3)), channels(x.size(1)), groups(groups), per_group(channels / groups) {}
};

// Factor and summand of each channel of one sample.
void affine(const Sizes& s, const float* mean, const float* inverse, const float* weight, const float* bias, float* scale, float* shift) {
    for (int64_t c = 0; c < s.channels; ++c) {
        int64_t g = c / s.per_group;
        scale[c] = inverse[g] * weight[c];
        shift[c] = bias[c] - mean[g] * scale[c];
    }
}

template <bool silu>
void forward_sample(const Sizes& s, const uint16_t* x, const float* weight, const float* bias, float eps, uint16_t* y, float* mean, float* inverse) {
    std::vector<float> sums(s.channels), squares(s.channels), scale(s.channels), shift(s.channels);
    for (int64_t p = 0; p < s.pixels; ++p) {
        const uint16_t* row = x + p * s.channels;
        for (int64_t c = 0; c < s.channels; ++c) {
            float value = widen(row[c]);
            sums[c] += value;
            squares[c] += value * value;
        }
    }
    float count = float(s.pixels * s.per_group);
    for (int64_t g = 0; g < s.groups; ++g) {
        double sum = 0, square = 0;
        for (int64_t c = g * s.per_group; c < (g + 1) * s.per_group; ++c) sum += sums[c], square += squares[c];
        mean[g] = float(sum / count);
        double variance = square / count - sum / count * (sum / count);
        inverse[g] = float(1 / std::sqrt(std::max(variance, 0.0) + eps));
    }
    affine(s, mean, inverse, weight, bias, scale.data(), shift.data());
    for (int64_t p = 0; p < s.pixels; ++p) {
        const uint16_t* row = x + p * s.channels;
        uint16_t* out = y + p * s.channels;
        for (int64_t c = 0; c < s.channels; ++c) {
            float value = widen(row[c]) * scale[c] + shift[c];
            out[c] = narrow(silu ? value * sigmoid(value) : value);
        }
    }
}

template <bool silu>
void backward_sample(const Sizes& s, const uint16_t* x, const uint16_t* gradient, const float* weight, const float* bias, const float* mean,
                     const float* inverse, uint16_t* dx, float* dweight, float* dbias, float* inner) {
    std::vector<float> scale(s.channels), shift(s.channels), a(s.channels), b(s.channels), c0(s.channels);
    affine(s, mean, inverse, weight, bias, scale.data(), shift.data());
    for (int64_t p = 0; p < s.pixels; ++p) {
        const uint16_t* row = x + p * s.channels;
        const uint16_t* in = gradient + p * s.channels;
        float* kept = inner + p * s.channels;
        for (int64_t c = 0; c < s.channels; ++c) {
            float value = widen(row[c]), d = widen(in[c]);
            if (silu) {
                float v = value * scale[c] + shift[c], q = sigmoid(v);
                d *= q * (1 + v * (1 - q));
            }
            kept[c] = d;
            dbias[c] += d;
            dweight[c] += d * value;
        }
    }
    float count = float(s.pixels * s.per_group);
    for (int64_t g = 0; g < s.groups; ++g) {
        float along = 0, average = 0;
        for (int64_t c = g * s.per_group; c < (g + 1) * s.per_group; ++c) {
            dweight[c] = (dweight[c] - mean[g] * dbias[c]) * inverse[g];
            along += dweight[c] * weight[c];
            average += dbias[c] * weight[c];
        }
        along /= count, average /= count;
        for (int64_t c = g * s.per_group; c < (g + 1) * s.per_group; ++c) {
            a[c] = inverse[g] * weight[c];
            b[c] = -inverse[g] * inverse[g] * along;
            c0[c] = -inverse[g] * average - b[c] * mean[g];
        }
    }
    for (int64_t p = 0; p < s.pixels; ++p) {
        const uint16_t* row = x + p * s.channels;
        const float* kept = inner + p * s.channels;
        uint16_t* out = dx + p * s.channels;
        for (int64_t c = 0; c < s.channels; ++c) out[c] = narrow(a[c] * kept[c] + b[c] * widen(row[c]) + c0[c]);
    }
}

}  // namespace

std::vector<at::Tensor> forward(at::Tensor x, at::Tensor weight, at::Tensor bias, int64_t groups, double eps, bool silu) {
    Sizes s(x, groups);
    at::Tensor y = at::empty_like(x);
    at::Tensor mean = at::empty({s.n, groups}, weight.options()), inverse = at::empty({s.n, groups}, weight.options());
    auto sample = silu ? forward_sample<true> : forward_sample<false>;
    const uint16_t* in = values(x);
    uint16_t* out = values(y);
    at::parallel_for(0, s.n, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            int64_t at = i * s.pixels * s.channels;
            sample(s, in + at, weight.data_ptr<float>(), bias.data_ptr<float>(), float(eps), out + at, mean.data_ptr<float>() + i * groups,
                   inverse.data_ptr<float>() + i * groups);
        }
    });
    return {y, mean, inverse};
}

std::vector<at::Tensor> backward(at::Tensor gradient, at::Tensor x, at::Tensor weight, at::Tensor bias, at::Tensor mean, at::Tensor inverse, bool silu) {
    Sizes s(x, mean.size(1));
    at::Tensor dx = at::empty_like(x);
    at::Tensor dweight = at::zeros({s.n, s.channels}, weight.options()), dbias = at::zeros({s.n, s.channels}, weight.options());
    auto sample = silu ? backward_sample<true> : backward_sample<false>;
    const uint16_t *in = values(x), *from = values(gradient);
    uint16_t* out = values(dx);
    at::parallel_for(0, s.n, 1, [&](int64_t begin, int64_t end) {
        std::vector<float> inner(s.pixels * s.channels);
        for (int64_t i = begin; i < end; ++i) {
            int64_t at = i * s.pixels * s.channels;
            sample(s, in + at, from + at, weight.data_ptr<float>(), bias.data_ptr<float>(), mean.data_ptr<float>() + i * s.groups,
                   inverse.data_ptr<float>() + i * s.groups, out + at, dweight.data_ptr<float>() + i * s.channels,
                   dbias.data_ptr<float>() + i * s.channels, inner.data());
        }
    });
    return {dx, dweight.sum(0), dbias.sum(0)};
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
    m.def("forward", &forward);
    m.def("backward", &backward);
}
