// stable-diffusion.cpp's side of `cargo xtask bench`, on the library's C interface and the files it brings along.
//
//     peer serve CHECKPOINT                        answers requests, a line of JSON each, as crates/comfy-diffusion/examples/speed.rs describes
//     peer picture CHECKPOINT SIDE STEPS FILE      makes one picture and ends
//
// The library computes whole pictures only, so a request is answered by making one of a single step: of `unet` it gives the time of that step,
// which with guidance is two calls of the network, and of `decode` that of the decoder, which the library logs. It takes no inputs and
// gives no results to compare. docs/speed.md says how to build this.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <sys/resource.h>
#include <thread>

#include "json.hpp"
#include "stable-diffusion.h"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include "stb_image_write.h"

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

// What the library has told while it made the last picture.
struct Heard {
    double step = 0;
    double decode = 0;
    std::string errors;
};

static void hear_log(sd_log_level_t level, const char* text, void* data) {
    auto& heard = *static_cast<Heard*>(data);
    if (level == SD_LOG_ERROR) {
        heard.errors += text;
    }
    const std::string mark = "decode_first_stage completed, taking ";
    const std::string line = text;
    if (const auto place = line.find(mark); place != std::string::npos) {
        heard.decode = std::strtod(line.c_str() + place + mark.size(), nullptr);
    }
}

// Loading tells its progress here, too; the last that is told before a picture ends is its step.
static void hear_progress(int, int, float seconds, void* data) {
    static_cast<Heard*>(data)->step = seconds;
}

static double peak_mib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024.0;
}

static void say(const Json& message) {
    std::cout << message.dump() << std::endl;
}

static int threads() {
    return static_cast<int>(std::thread::hardware_concurrency());
}

static sd_ctx_t* open(const char* checkpoint) {
    sd_ctx_params_t parameters;
    sd_ctx_params_init(&parameters);
    parameters.model_path = checkpoint;
    parameters.n_threads = threads();
    parameters.enable_mmap = true;
    // Its fused attention takes two to three times as long on a processor, and its direct convolutions a little longer, so both stay off.
    return new_sd_ctx(&parameters);
}

static sd_image_t* draw(sd_ctx_t* context, int side, int steps) {
    sd_img_gen_params_t parameters;
    sd_img_gen_params_init(&parameters);
    parameters.prompt = "a photo of a cat";
    parameters.negative_prompt = "bad";
    parameters.width = parameters.height = side;
    parameters.seed = 42;
    parameters.sample_params.sample_method = EULER_SAMPLE_METHOD;
    parameters.sample_params.scheduler = DISCRETE_SCHEDULER;
    parameters.sample_params.sample_steps = steps;
    parameters.sample_params.guidance.txt_cfg = 7;
    return generate_image(context, &parameters);
}

static int serve(sd_ctx_t* context, Heard& heard) {
    say({{"device", std::to_string(threads()) + " threads"},
         {"api", std::string("stable-diffusion.cpp ") + sd_version()},
         {"seconds", 0.0},
         {"strategies", sd_get_system_info()}});
    for (std::string line; std::getline(std::cin, line);) {
        const auto request = Json::parse(line);
        const auto work = request.at("work").get<std::string>();
        const int side = request.at("inputs").at("latent").at("shape").at(2).get<int>() * 8;
        auto* images = draw(context, side, 1);
        if (images == nullptr) {
            std::cerr << heard.errors;
            return 1;
        }
        free_sd_images(images, 1);
        say({{"seconds", work == "decode" ? heard.decode : heard.step}, {"peak_mib", peak_mib()}});
    }
    return 0;
}

int main(int count, char** arguments) {
    const std::string what = count > 2 ? arguments[1] : "";
    if (!(what == "serve" && count == 3) && !(what == "picture" && count == 6)) {
        std::cerr << "expected `serve CHECKPOINT` or `picture CHECKPOINT SIDE STEPS FILE`\n";
        return 2;
    }
    Heard heard;
    sd_set_log_callback(hear_log, &heard);
    sd_set_progress_callback(hear_progress, &heard);
    auto* context = open(arguments[2]);
    if (context == nullptr) {
        std::cerr << heard.errors;
        return 1;
    }
    if (what == "serve") {
        return serve(context, heard);
    }
    auto* images = draw(context, std::atoi(arguments[3]), std::atoi(arguments[4]));
    if (images == nullptr) {
        std::cerr << heard.errors;
        return 1;
    }
    const int written = stbi_write_png(arguments[5], images->width, images->height, images->channel, images->data, 0);
    say({{"peak_mib", peak_mib()}});
    return written ? 0 : 1;
}
