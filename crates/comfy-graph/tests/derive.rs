//! Mistakes in declarations are found by the compiler, at the place of the mistake.

#[test]
fn mistakes_do_not_compile() {
    if !compiler_is_the_recorded_one() {
        eprintln!(
            "SKIPPED: the expected messages were recorded with {RECORDED_WITH}, another compiler words them otherwise"
        );
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}

/// The compiler whose messages stand beside the cases in `ui/`.
const RECORDED_WITH: &str = "rustc 1.95.";

fn compiler_is_the_recorded_one() -> bool {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(compiler)
        .arg("--version")
        .output();
    version.is_ok_and(|output| output.stdout.starts_with(RECORDED_WITH.as_bytes()))
}
