//! Mistakes in declarations are found by the compiler, at the place of the mistake.

#[test]
fn mistakes_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
