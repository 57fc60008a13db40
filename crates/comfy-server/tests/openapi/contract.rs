//! Whether one OpenAPI document contains another: paths, operations, parameters, bodies, statuses, headers and schemas.
//!
//! Descriptions and examples do not count. A schema contains another if everything that the other requires to be said about a
//! value is said in it: type, members, items, limits, choices. It may say more, such as further members.

use serde_json::Value as Json;

/// What `document` lacks of `contract`, as paths into the contract.
pub(super) fn missing(contract: &Json, document: &Json) -> Vec<String> {
    let mut check = Check {
        contract,
        document,
        found: Vec::new(),
    };
    check.paths();
    check.components();
    check.found
}

struct Check<'a> {
    contract: &'a Json,
    document: &'a Json,
    found: Vec<String>,
}

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
/// Chains of references are short; a longer one is a loop.
const DEPTH_LIMIT: usize = 32;

impl<'a> Check<'a> {
    fn lack(&mut self, at: &str, what: &str) {
        self.found.push(format!("{at}: {what}"));
    }

    fn paths(&mut self) {
        for (path, operations) in members(&self.contract["paths"]) {
            for method in METHODS {
                let Some(wanted) = operations.get(method) else {
                    continue;
                };
                let at = format!("{method} {path}");
                match self.document["paths"]
                    .get(path)
                    .and_then(|operations| operations.get(method))
                {
                    Some(got) => self.operation(&at, wanted, got),
                    None => self.lack(&at, "no such operation"),
                }
            }
        }
    }

    fn components(&mut self) {
        for (name, wanted) in members(&self.contract["components"]["schemas"]) {
            let at = format!("schema {name}");
            match self.document["components"]["schemas"].get(name) {
                Some(got) => self.schema(&at, wanted, got, 0),
                None => self.lack(&at, "no such schema"),
            }
        }
    }

    fn operation(&mut self, at: &str, wanted: &'a Json, got: &'a Json) {
        if wanted.get("operationId").is_some() && wanted["operationId"] != got["operationId"] {
            self.lack(at, "another operationId");
        }
        for parameter in wanted["parameters"].as_array().into_iter().flatten() {
            let at = format!(
                "{at} parameter {}",
                parameter["name"].as_str().unwrap_or_default()
            );
            let same = |other: &&Json| {
                other["name"] == parameter["name"] && other["in"] == parameter["in"]
            };
            let Some(other) = got["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .find(same)
            else {
                self.lack(&at, "no such parameter");
                continue;
            };
            if parameter["required"].as_bool().unwrap_or(false)
                != other["required"].as_bool().unwrap_or(false)
            {
                self.lack(&at, "required");
            }
            self.schema(&at, &parameter["schema"], &other["schema"], 0);
        }
        self.contents(
            &format!("{at} body"),
            &wanted["requestBody"],
            &got["requestBody"],
        );
        for (status, wanted) in members(&wanted["responses"]) {
            let at = format!("{at} {status}");
            let Some(got) = got["responses"].get(status) else {
                self.lack(&at, "no such status");
                continue;
            };
            self.contents(&at, wanted, got);
            for (name, wanted) in members(&wanted["headers"]) {
                let at = format!("{at} header {name}");
                match got["headers"].get(name) {
                    Some(got) => self.schema(&at, &wanted["schema"], &got["schema"], 0),
                    None => self.lack(&at, "no such header"),
                }
            }
        }
    }

    fn contents(&mut self, at: &str, wanted: &'a Json, got: &'a Json) {
        for (media_type, wanted) in members(&wanted["content"]) {
            let at = format!("{at} {media_type}");
            match got["content"].get(media_type) {
                Some(got) => self.schema(&at, &wanted["schema"], &got["schema"], 0),
                None => self.lack(&at, "no such media type"),
            }
        }
    }

    fn schema(&mut self, at: &str, wanted: &'a Json, got: &'a Json, depth: usize) {
        // What a reference points to is compared once, as a component.
        if let (Some(wanted), Some(got)) = (wanted.get("$ref"), got.get("$ref"))
            && wanted == got
        {
            return;
        }
        let (wanted, got) = (resolve(self.contract, wanted), resolve(self.document, got));
        if depth > DEPTH_LIMIT || wanted.is_null() {
            return;
        }
        for keyword in ["type", "minItems", "maxItems", "pattern"] {
            if wanted
                .get(keyword)
                .is_some_and(|wanted| !agrees(keyword, wanted, got.get(keyword)))
            {
                self.lack(at, keyword);
            }
        }
        self.binary(at, wanted, got);
        self.choices(at, wanted, got);
        for name in wanted["required"].as_array().into_iter().flatten() {
            if !got["required"]
                .as_array()
                .is_some_and(|names| names.contains(name))
            {
                self.lack(at, &format!("{name} is not required"));
            }
        }
        for (name, wanted) in members(&wanted["properties"]) {
            match got["properties"].get(name) {
                Some(got) => self.schema(&format!("{at}.{name}"), wanted, got, depth + 1),
                None => self.lack(at, &format!("no property {name}")),
            }
        }
        for (keyword, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
            match (wanted.get(keyword), got.get(keyword)) {
                (Some(wanted), Some(got)) if wanted.is_object() => {
                    self.schema(&format!("{at}{mark}"), wanted, got, depth + 1);
                }
                (Some(wanted), got) if got != Some(wanted) => self.lack(at, keyword),
                _ => {}
            }
        }
        let wanted_items = wanted["prefixItems"].as_array().into_iter().flatten();
        for (index, wanted) in wanted_items.enumerate() {
            match got["prefixItems"].get(index) {
                Some(got) => self.schema(&format!("{at}[{index}]"), wanted, got, depth + 1),
                None => self.lack(at, &format!("no item {index}")),
            }
        }
        for (index, wanted) in wanted["oneOf"].as_array().into_iter().flatten().enumerate() {
            let alternatives = got["oneOf"]
                .as_array()
                .map_or(&[] as &[Json], Vec::as_slice);
            if !alternatives
                .iter()
                .any(|got| self.contains(wanted, got, depth + 1))
            {
                self.lack(at, &format!("no alternative {index} ({})", kind(wanted)));
            }
        }
    }

    /// Whether one schema contains another, without writing down what is missing.
    fn contains(&mut self, wanted: &'a Json, got: &'a Json, depth: usize) -> bool {
        let before = self.found.len();
        self.schema("", wanted, got, depth);
        let contains = self.found.len() == before;
        self.found.truncate(before);
        contains
    }

    /// Bytes: OpenAPI 3.1 has several ways to say it.
    fn binary(&mut self, at: &str, wanted: &Json, got: &Json) {
        let is_binary = |schema: &Json| {
            schema["format"] == "binary" || schema["contentMediaType"] == "application/octet-stream"
        };
        if is_binary(wanted) && !is_binary(got) {
            self.lack(at, "format: binary");
        }
    }

    fn choices(&mut self, at: &str, wanted: &Json, got: &Json) {
        for choice in wanted["enum"].as_array().into_iter().flatten() {
            if !got["enum"]
                .as_array()
                .is_some_and(|choices| choices.contains(choice))
            {
                self.lack(at, &format!("no choice {choice}"));
            }
        }
    }
}

/// Whether two values of a keyword say the same. A type may be a list that allows null besides.
fn agrees(keyword: &str, wanted: &Json, got: Option<&Json>) -> bool {
    match got {
        Some(Json::Array(types)) if keyword == "type" => types.contains(wanted),
        // A whole number is a number.
        Some(Json::String(got)) if keyword == "type" && got == "integer" => {
            wanted == "integer" || wanted == "number"
        }
        got => got == Some(wanted),
    }
}

fn kind(schema: &Json) -> String {
    schema
        .get("type")
        .or_else(|| schema.get("$ref"))
        .and_then(Json::as_str)
        .unwrap_or("anything")
        .to_owned()
}

/// Follows references, and wrappers around a single schema.
fn resolve<'a>(document: &'a Json, mut schema: &'a Json) -> &'a Json {
    for _ in 0..DEPTH_LIMIT {
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            schema = reference
                .strip_prefix('#')
                .and_then(|pointer| document.pointer(pointer))
                .unwrap_or(&Json::Null);
        } else if let Some([only]) = schema
            .get("allOf")
            .and_then(Json::as_array)
            .map(Vec::as_slice)
        {
            schema = only;
        } else {
            return schema;
        }
    }
    schema
}

fn members(value: &Json) -> impl Iterator<Item = (&String, &Json)> {
    value.as_object().into_iter().flatten()
}
