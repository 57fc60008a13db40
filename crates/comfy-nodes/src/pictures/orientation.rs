//! How a picture is to be turned before it is shown.

use image::metadata::Orientation;

/// What stands before the number in XMP, whether it is an attribute or an element.
const MARK: &[u8] = b"tiff:Orientation";

/// The orientation that EXIF names, or else XMP, as PIL looks for it.
pub(super) fn of(exif: Option<u8>, xmp: Option<&[u8]>) -> Orientation {
    exif.or_else(|| number_in(xmp?))
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}

fn number_in(xmp: &[u8]) -> Option<u8> {
    let starts = xmp.windows(MARK.len()).enumerate();
    starts
        .filter(|(_, window)| *window == MARK)
        .find_map(|(start, _)| {
            let rest = &xmp[start + MARK.len()..];
            let rest = rest.strip_prefix(b"=\"").or(rest.strip_prefix(b">"))?;
            rest.first()
                .filter(|digit| digit.is_ascii_digit())
                .map(|digit| digit - b'0')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_counts_where_exif_says_nothing() {
        let xmp = |text: &'static str| Some(text.as_bytes());
        let turned = Orientation::Rotate90;
        assert_eq!(of(None, xmp("<x tiff:Orientation=\"6\"/>")), turned);
        assert_eq!(
            of(None, xmp("<tiff:Orientation>6</tiff:Orientation>")),
            turned
        );
        assert_eq!(
            of(Some(3), xmp("<x tiff:Orientation=\"6\"/>")),
            Orientation::Rotate180
        );
        for text in [
            "",
            "tiff:Orientation",
            "tiff:Orientation=\"x\"",
            "tiff:Orientation=\"0\"",
        ] {
            assert_eq!(of(None, xmp(text)), Orientation::NoTransforms, "{text}");
        }
    }
}
