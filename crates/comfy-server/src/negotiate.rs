//! Which media type a client would rather have.

use axum::http::{HeaderMap, header};

/// Of the types on offer, in our order of preference, the one the client likes best; none if it accepts none.
///
/// A client that says nothing takes the first. Equal likings are settled by our order.
pub(crate) fn preferred<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    let ranges: Vec<Range> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    if ranges.is_empty() {
        return offers.first().copied();
    }
    let mut best: Option<(&str, f32)> = None;
    for offer in offers {
        let quality = quality(&ranges, offer);
        if quality > best.map_or(0.0, |(_, quality)| quality) {
            best = Some((offer, quality));
        }
    }
    best.map(|(offer, _)| offer)
}

/// One entry of an `Accept` header.
struct Range {
    kind: String,
    subtype: String,
    quality: f32,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, value)| value.trim().parse::<f32>().ok())?;
        Some(Self {
            kind: kind.trim().to_ascii_lowercase(),
            subtype: subtype.trim().to_ascii_lowercase(),
            quality: quality.clamp(0.0, 1.0),
        })
    }

    /// How exactly this entry names the type; none if it does not.
    fn specificity(&self, kind: &str, subtype: &str) -> Option<u8> {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (range, "*") if range == kind => Some(1),
            (range, sub) if range == kind && sub == subtype => Some(2),
            _ => None,
        }
    }
}

/// How much the client likes a type: the most exact entry counts.
fn quality(ranges: &[Range], offer: &str) -> f32 {
    let (kind, subtype) = offer.split_once('/').unwrap_or((offer, ""));
    ranges
        .iter()
        .filter_map(|range| Some((range.specificity(kind, subtype)?, range.quality)))
        .max_by_key(|(specificity, _)| *specificity)
        .map_or(0.0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn choice(accept: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_str(accept).expect("a header"),
        );
        preferred(&headers, &["application/json", "image/png"])
    }

    #[test]
    fn the_best_liked_type_wins() {
        assert_eq!(preferred(&HeaderMap::new(), &["a/b", "c/d"]), Some("a/b"));
        for accept in [
            "*/*",
            "application/json",
            "application/*",
            "image/png, application/json",
            "image/png;q=0.5, */*",
            "",
        ] {
            assert_eq!(choice(accept), Some("application/json"), "{accept}");
        }
        for accept in [
            "image/png",
            "IMAGE/*",
            "image/png, application/json;q=0.9",
            "application/json; q=0, */*;q=0.1",
            "text/html, image/png;q=0.2",
        ] {
            assert_eq!(choice(accept), Some("image/png"), "{accept}");
        }
        for accept in ["text/html", "image/webp", "*/*;q=0", "image/png;q=0"] {
            assert_eq!(choice(accept), None, "{accept}");
        }
    }
}
