//! Conversion.

use super::*;

fn convert_file(path: &str, classes: &ObjectInfo) -> Result<Json, String> {
    let text = std::fs::read_to_string(path).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    let mut surroundings = Surroundings { classes, choose: &mut |_| 0, now: LocalTime::default() };
    prompt_from_workflow(&json, &mut surroundings).map(|p| p.to_json()).map_err(|e| e.to_string())
}

#[test]
fn dev_compare() {
    let Ok(info) = std::env::var("WF_INFO") else { return };
    let classes: ObjectInfo = serde_json::from_str(&std::fs::read_to_string(info).unwrap()).unwrap();
    let dir = std::env::var("WF_DIR").unwrap();
    let mut out = serde_json::Map::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") { continue }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let r = std::panic::catch_unwind(|| convert_file(path.to_str().unwrap(), &classes));
        let v = match r { Ok(Ok(v)) => serde_json::json!({"output": v}), Ok(Err(e)) => serde_json::json!({"error": e}), Err(_) => serde_json::json!({"error":"PANIC"}) };
        out.insert(name, v);
    }
    std::fs::write(std::env::var("WF_OUT").unwrap(), serde_json::to_string(&out).unwrap()).unwrap();
}
