#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use super::*;

fn card(class: AdapterClass, name: &str) -> Adapter {
    Adapter::imagined(GraphicsApi::Vulkan, class, name)
}

#[test]
fn requests_read_back_what_they_print() {
    for request in DeviceRequest::ALL {
        assert_eq!(
            request.to_string().parse::<DeviceRequest>().unwrap(),
            request
        );
    }
    assert_eq!(
        "VULKAN".parse::<DeviceRequest>().unwrap(),
        DeviceRequest::Vulkan
    );
    let error = "cuda".parse::<DeviceRequest>().unwrap_err().to_string();
    assert!(
        error.contains("`cuda`") && error.contains("vulkan"),
        "{error}"
    );
}

#[test]
fn auto_takes_the_best_real_card() {
    let found = [
        card(AdapterClass::Software, "llvmpipe"),
        card(AdapterClass::Integrated, "small"),
        card(AdapterClass::Discrete, "big"),
    ];
    let plan = DevicePlan::choose(DeviceRequest::Auto, &found).unwrap();
    assert_eq!((plan.kind, plan.name.as_str()), (DeviceKind::Gpu, "big"));
    assert!(!plan.is_software());
}

#[test]
fn auto_prefers_the_processor_to_a_software_driver_and_says_why() {
    let found = [card(AdapterClass::Software, "llvmpipe")];
    let plan = DevicePlan::choose(DeviceRequest::Auto, &found).unwrap();
    assert_eq!(plan.kind, DeviceKind::Cpu);
    assert!(plan.reason.contains("llvmpipe"), "{}", plan.reason);
    let plan = DevicePlan::choose(DeviceRequest::Auto, &[]).unwrap();
    assert_eq!(plan.kind, DeviceKind::Cpu);
    assert!(plan.reason.contains("vulkan"), "{}", plan.reason);
}

#[test]
fn a_software_driver_is_used_when_asked_for_and_nothing_better_answers() {
    let software = card(AdapterClass::Software, "llvmpipe");
    let plan = DevicePlan::choose(DeviceRequest::Vulkan, std::slice::from_ref(&software)).unwrap();
    assert!(plan.is_software());
    let both = [software, card(AdapterClass::Virtual, "real")];
    let plan = DevicePlan::choose(DeviceRequest::Vulkan, &both).unwrap();
    assert_eq!(plan.name, "real");
}

#[test]
fn a_named_interface_without_an_adapter_is_an_error() {
    let error = DevicePlan::choose(DeviceRequest::Metal, &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("`metal`"), "{error}");
}

#[test]
fn a_survey_never_panics() {
    for request in DeviceRequest::ALL {
        match DevicePlan::survey(request) {
            Ok(plan) => assert!(!plan.reason.is_empty()),
            Err(error) => assert!(error.to_string().contains(request.name()), "{error}"),
        }
    }
}

#[test]
fn the_processor_opens_and_passes_its_self_test() {
    let device = DevicePlan::survey(DeviceRequest::Cpu)
        .unwrap()
        .open()
        .unwrap();
    assert_eq!(device.info().kind, DeviceKind::Cpu);
    device.self_test().unwrap();
}
