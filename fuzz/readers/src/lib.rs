//! One function for every reader of files and requests, and the means to try them.
//!
//! A [`Reader`] takes bytes that may be anything and must come back: no panic, no endless loop, no more memory than its size excuses.
//! [`READERS`] lists them with what they are tried on. Two drivers use the list: the test of this crate, which changes the seeds at
//! random but always in the same way ([`drive`]), and the targets for libFuzzer beside this crate (`fuzz/README.md`).

pub mod drive;
pub mod files;
pub mod graphs;
pub mod memory;
pub mod models;
pub mod mutate;
pub mod pictures;
mod place;
pub mod requests;
mod seeds;
pub mod texts;
pub mod weights;

/// A reader: what is called, and what it is tried on.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Its name, which is also the name of its target for libFuzzer.
    pub name: &'static str,
    /// Reads bytes that may be anything, and uses what it read.
    pub read: fn(&[u8]),
    /// Whole and sound examples.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How often a test tries it: fewer times where it is slow.
    pub rounds: u32,
    /// The memory that it may take beyond what the size of its input excuses, in MiB.
    pub mebibytes: usize,
}

/// A line of the list: name, reader, seeds, rounds, MiB.
macro_rules! readers {
    ($($name:ident: $read:path, $seeds:path, $rounds:literal, $mebibytes:literal;)*) => {
        /// Every reader.
        pub const READERS: &[Reader] = &[$(Reader {
            name: stringify!($name),
            read: $read,
            seeds: $seeds,
            rounds: $rounds,
            mebibytes: $mebibytes,
        }),*];
    };
}

readers! {
    safetensors: weights::safetensors, seeds::safetensors, 1500, 16;
    safetensors_header: weights::header, seeds::headers, 3000, 16;
    pickle_archive: weights::archive, seeds::archives, 3000, 64;
    pickle_legacy: weights::safetensors, seeds::legacy, 3000, 64;
    pickle_program: weights::program, seeds::programs, 3000, 64;
    weight_changes: models::changes, seeds::changes, 600, 96;
    embedding: models::embedding, seeds::embeddings, 1500, 64;
    hypernetwork: models::hypernetwork, seeds::hypernetworks, 400, 64;
    upscaler: models::upscaler, seeds::upscalers, 150, 64;
    image_encoder: models::image_encoder, seeds::image_encoders, 60, 64;
    tensor_list: models::tensor_list, seeds::tensor_lists, 120, 64;
    diffusers_folder: models::diffusers_folder, seeds::folders, 60, 64;
    latent: files::latent, seeds::latents, 800, 16;
    picture_png: pictures::png, seeds::png, 1000, 128;
    picture_jpeg: pictures::picture, seeds::jpeg, 700, 128;
    picture_webp: pictures::picture, seeds::webp, 700, 128;
    picture_gif: pictures::picture, seeds::gif, 700, 128;
    picture_tiff: pictures::picture, seeds::tiff, 1000, 128;
    picture_jxl: pictures::picture, seeds::jxl, 400, 256;
    picture_plain: pictures::picture, seeds::plain, 1500, 128;
    workflow: graphs::workflow, seeds::workflows, 800, 32;
    prompt: graphs::prompt, seeds::prompts, 800, 32;
    python_json: graphs::python_json, seeds::json, 2000, 16;
    regex: texts::regex, seeds::regex, 300, 64;
    prompt_text: texts::prompt, seeds::prompt_texts, 1500, 16;
    names: texts::names, seeds::names, 3000, 16;
    extra_model_paths: files::extra_model_paths, seeds::extra_model_paths, 1000, 32;
    http_raw: requests::raw, seeds::requests, 300, 64;
    http_request: requests::request, seeds::requests, 600, 64;
    websocket: requests::websocket, seeds::frames, 200, 64;
    view: requests::view, seeds::viewed, 150, 1200;
}

/// Removes the files that readers were given. To be called last: a server may be running on them.
pub fn tidy() {
    place::tidy();
}

/// Has the reader of this name read bytes.
pub fn read(name: &str, bytes: &[u8]) {
    let reader = READERS.iter().find(|reader| reader.name == name);
    let reader = reader.unwrap_or_else(|| panic!("there is no reader {name}"));
    (reader.read)(bytes);
}
