use std::path::Path;

use super::*;

fn options(line: &[&str]) -> Options {
    parse(std::iter::once("comfy-server").chain(line.iter().copied())).expect("the line is good")
}

fn refusal(line: &[&str]) -> String {
    parse(std::iter::once("comfy-server").chain(line.iter().copied()))
        .expect_err("the line is bad")
        .to_string()
}

#[test]
fn the_command_is_sound() {
    command().debug_assert();
}

#[test]
fn an_empty_line_means_the_defaults() {
    let options = options(&[]);
    assert_eq!(options.config.listen, ["127.0.0.1"]);
    assert_eq!(options.config.port, 8188);
    assert_eq!(options.config.max_upload_size, 104_857_600);
    assert_eq!(options.config.max_queue_size, 65536);
    assert!(matches!(options.config.cache, CachePolicy::Classic));
    assert!(matches!(options.config.device, DeviceRequest::Auto));
    assert!(options.config.metadata && options.config.cors_origin.is_none());
    assert_eq!(options.log_level, tracing::Level::INFO);
}

#[test]
fn flags_with_an_optional_value_have_a_meaning_without_one() {
    assert_eq!(options(&["--listen"]).config.listen, ["0.0.0.0", "::"]);
    assert_eq!(
        options(&["--listen", "10.0.0.1, [::1]", "--port", "9"])
            .config
            .listen,
        ["10.0.0.1", "::1"]
    );
    assert_eq!(
        options(&["--enable-cors-header"])
            .config
            .cors_origin
            .as_deref(),
        Some("*")
    );
    assert_eq!(
        options(&["--enable-cors-header", "http://a"])
            .config
            .cors_origin
            .as_deref(),
        Some("http://a")
    );
    assert_eq!(options(&["--verbose"]).log_level, tracing::Level::DEBUG);
    assert_eq!(
        options(&["--verbose", "WARNING"]).log_level,
        tracing::Level::WARN
    );
    assert_eq!(
        options(&["--dont-print-server"]).log_level,
        tracing::Level::WARN
    );
}

#[test]
fn the_cache_flags_exclude_each_other() {
    assert!(matches!(
        options(&["--cache-lru", "7"]).config.cache,
        CachePolicy::Lru(7)
    ));
    assert!(matches!(
        options(&["--cache-none"]).config.cache,
        CachePolicy::None
    ));
    for (flags, bytes) in [
        (&["--cache-ram", "0.5"][..], 500_000_000),
        (&["--cache-ram"], 4_000_000_000),
    ] {
        assert_eq!(options(flags).config.cache, CachePolicy::Ram(bytes));
    }
    assert!(refusal(&["--cache-ram", "much"]).contains("expected a number of gigabytes"));
    assert!(refusal(&["--cache-none", "--cache-classic"]).contains("cannot be used with"));
}

#[test]
fn cpu_is_a_device() {
    assert!(matches!(
        options(&["--cpu"]).config.device,
        DeviceRequest::Cpu
    ));
    assert!(matches!(
        options(&["--device", "vulkan"]).config.device,
        DeviceRequest::Vulkan
    ));
    assert!(refusal(&["--cpu", "--device", "vulkan"]).contains("cannot be used with"));
    assert!(refusal(&["--device", "abacus"]).contains("abacus"));
}

#[test]
fn sizes_and_directories_are_checked() {
    assert_eq!(
        options(&["--max-upload-size", "0.5"])
            .config
            .max_upload_size,
        524_288
    );
    for bad in ["0", "-1", "nan", "inf", "much"] {
        assert!(
            refusal(&[&format!("--max-upload-size={bad}")]).contains("megabytes"),
            "{bad}"
        );
    }
    assert!(
        refusal(&["--user-directory", "/no/such/directory"])
            .contains("expected an existing directory")
    );
    let config = options(&[
        "--extra-model-paths-config",
        "a.yaml",
        "b.yaml",
        "--extra-model-paths-config",
        "c.yaml",
    ])
    .config;
    assert_eq!(
        config.extra_model_paths,
        ["a.yaml", "b.yaml", "c.yaml"].map(Path::new)
    );
}

#[test]
fn flags_of_pytorch_are_accepted_and_named() {
    let options = options(&[
        "--cuda-malloc",
        "--fast",
        "fp16_accumulation",
        "--cuda-device",
        "1",
        "--directml",
        "--port",
        "1",
    ]);
    assert_eq!(
        options.ignored,
        ["--cuda-device", "--cuda-malloc", "--directml", "--fast"]
    );
    assert_eq!(options.config.port, 1);
    let help = command().render_long_help().to_string();
    assert!(
        !help.contains("--fp16-text-enc"),
        "ignored flags have no line of their own"
    );
    for heading in [
        "Network:",
        "Access:",
        "Directories:",
        "Device:",
        "Memory:",
        "Queue and cache:",
        "Pictures:",
        "Process:",
    ] {
        assert!(help.contains(heading), "{heading} is missing in\n{help}");
    }
}

#[test]
fn networks_are_computed_as_exactly_as_the_flags_say() {
    let precision = |flags: &[&str]| options(flags).config.network_precision;
    for (flags, expected) in [
        (&[][..], None),
        (&["--bf16-unet"], Some(Precision::Brain)),
        (&["--fp16-unet"], Some(Precision::Half)),
        (&["--fp32-unet"], Some(Precision::Single)),
        (&["--force-fp16"], Some(Precision::Half)),
        (&["--force-fp32"], Some(Precision::Single)),
        (&["--force-fp32", "--bf16-unet"], Some(Precision::Brain)),
    ] {
        assert_eq!(precision(flags), expected, "{flags:?}");
    }
    assert!(refusal(&["--fp16-unet", "--fp32-unet"]).contains("cannot be used with"));
}

#[test]
fn memory_has_a_budget_and_rules() {
    let memory = |line: &[&str]| options(line).config.memory;
    assert_eq!(memory(&[]), MemoryRequest::default());
    for (text, bytes) in [("6G", 6 << 30), ("512M", 512 << 20), ("1000000", 1_000_000)] {
        assert_eq!(memory(&["--vram-budget", text]).budget, Some(bytes));
        assert_eq!(
            memory(&["run", "a.json", "--vram-budget", text]).budget,
            Some(bytes)
        );
    }
    assert_eq!(memory(&["--reserve-vram", "1.5"]).reserve, Some(3 << 29));
    for (flag, keeping) in [
        ("--gpu-only", Keeping::Everything),
        ("--highvram", Keeping::Everything),
        ("--lowvram", Keeping::OneModel),
        ("--disable-smart-memory", Keeping::OneModel),
        ("--novram", Keeping::NoParts),
        ("--normalvram", Keeping::UntilRoomIsNeeded),
    ] {
        assert_eq!(memory(&[flag, "--cpu"]).keeping, keeping, "{flag}");
    }
    for wrong in ["0", "-1", "much", "6X", "inf", "99999999T"] {
        let text = refusal(&[&format!("--vram-budget={wrong}")]);
        assert!(
            text.contains("such as 6G") && text.contains("--vram-budget"),
            "{text}"
        );
    }
    for wrong in ["-1", "nan", "inf", "1e7", "2G"] {
        let text = refusal(&[&format!("--reserve-vram={wrong}")]);
        assert!(text.contains("number of gigabytes"), "{text}");
    }
    assert!(refusal(&["--lowvram", "--novram"]).contains("cannot be used with"));
    assert!(refusal(&["--highvram", "--vram-budget", "1G"]).contains("cannot be used with"));
}

#[test]
fn keys_are_kept_from_those_who_ask_for_the_command_line() {
    for line in [
        &["--api-key", "secret", "--port", "1"][..],
        &["--api-key=secret"],
    ] {
        let config = options(line).config;
        assert!(
            config
                .api_key
                .is_some_and(|key| key == ApiKey::new("secret").expect("a key"))
        );
        assert!(
            !config.arguments.join(" ").contains("secret"),
            "{:?}",
            config.arguments
        );
    }
    assert!(refusal(&["--api-key", ""]).contains("at least one character"));
    assert!(options(&["--listen", "--insecure"]).config.insecure);
}

#[test]
fn a_certificate_needs_its_key() {
    let tls = options(&["--tls-certfile", "c", "--tls-keyfile", "k"])
        .config
        .tls;
    assert_eq!(
        tls,
        Some(TlsFiles {
            certificate: "c".into(),
            key: "k".into()
        })
    );
    assert!(refusal(&["--tls-certfile", "c"]).contains("--tls-keyfile"));
    assert!(refusal(&["--tls-keyfile", "k"]).contains("--tls-certfile"));
}

#[test]
fn a_front_end_is_a_folder_or_a_version() {
    let line = ["--front-end-version", "Comfy-Org/ComfyUI_frontend@latest"];
    assert_eq!(
        options(&line).config.front_end_version.as_deref(),
        Some(line[1])
    );
    assert!(
        refusal(&["--front-end-version", "1", "--front-end-root", "d"])
            .contains("cannot be used with")
    );
}

#[test]
fn files_can_be_run() {
    let options = options(&[
        "run",
        "a.json",
        "-",
        "--set",
        "3.steps=4",
        "--seed",
        "7",
        "--output",
        "out",
        "--json",
        "--cpu",
    ]);
    assert_eq!(
        options.config.output_directory.as_deref(),
        Some(Path::new("out"))
    );
    assert!(matches!(options.config.device, DeviceRequest::Cpu));
    assert_eq!(options.log_level, tracing::Level::WARN);
    let run = options.run.expect("it is to run");
    assert_eq!(run.files, [Path::new("a.json"), Path::new("-")]);
    assert_eq!((run.changes.len(), run.seed), (1, Some(7)));
    assert!(run.as_json && !run.only_print);
    assert!(super::parse(["comfy-server"]).expect("good").run.is_none());
    assert!(refusal(&["run"]).contains("<FILE>"));
    assert!(refusal(&["run", "a", "--set", "x"]).contains("NODE.INPUT=VALUE"));
    assert!(refusal(&["--port", "1", "run", "a"]).contains("run"));
}
