//! `GET /view`.

use image::{DynamicImage, ImageFormat};

use crate::client::{Answer, send};
use crate::toys::{Toy, picture};

fn toy() -> Toy {
    let toy = Toy::start();
    std::fs::write(toy.path().join("input/example.png"), picture(7)).unwrap();
    std::fs::create_dir_all(toy.path().join("output/sub dir")).unwrap();
    std::fs::write(toy.path().join("output/sub dir/o.png"), picture(8)).unwrap();
    std::fs::write(toy.path().join("output/page.html"), "<script>").unwrap();
    toy
}

fn decoded(answer: &Answer) -> DynamicImage {
    assert_eq!(answer.status, 200, "{}", answer.text());
    image::load_from_memory(&answer.body).unwrap()
}

#[test]
fn files_are_found_where_they_are_said_to_be() {
    let toy = toy();
    for query in [
        "filename=example.png&type=input",
        "filename=example.png%20[input]&type=output&rand=0.5",
        "filename=x/example.png&type=input",
    ] {
        let answer = toy.get(&format!("/view?{query}"));
        assert_eq!((answer.status, &answer.body), (200, &picture(7)), "{query}");
        assert_eq!(answer.header("content-type"), Some("image/png"));
        assert_eq!(
            answer.header("content-disposition"),
            Some("filename=\"example.png\"")
        );
    }
    assert_eq!(
        toy.get("/api/view?filename=o.png&subfolder=sub+dir").body,
        picture(8)
    );
    assert_eq!(
        toy.get("/view?filename=page.html").header("content-type"),
        Some("application/octet-stream")
    );
}

#[test]
fn names_that_lead_astray_are_refused() {
    let toy = toy();
    for (query, status) in [
        ("", 404),
        ("filename=", 400),
        ("filename=[input]", 400),
        ("filename=nope.png", 404),
        ("filename=../../../etc/passwd", 400),
        ("filename=..%2f..%2fetc%2fpasswd", 400),
        ("filename=/etc/passwd", 400),
        ("filename=a..b.png", 400),
        ("filename=..%5cx.png", 400),
        ("filename=a%00.png", 404),
        ("filename=example.png%20[bogus]", 404),
        ("filename=a.png&type=bogus", 400),
        ("filename=passwd&subfolder=../../../etc", 403),
        ("filename=passwd&subfolder=/etc", 403),
        ("filename=sub+dir", 404),
        ("filename=%ff%fe", 404),
    ] {
        let answer = toy.get(&format!("/view?{query}"));
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{query}");
    }
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_are_not_followed() {
    let toy = toy();
    std::fs::write(toy.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink("../secret", toy.path().join("output/link")).unwrap();
    std::os::unix::fs::symlink("..", toy.path().join("output/up")).unwrap();
    assert_eq!(toy.get("/view?filename=link").status, 403);
    assert_eq!(toy.get("/view?filename=secret&subfolder=up").status, 403);
}

#[test]
fn raw_files_have_validators_and_ranges() {
    let toy = toy();
    let path = "/view?filename=example.png&type=input";
    let whole = toy.get(path);
    let tag = whole.header("etag").unwrap().to_owned();
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert!(whole.header("last-modified").unwrap().ends_with(" GMT"));
    let size = whole.body.len();

    let head = send(toy.address(), "HEAD", path, &[], b"");
    assert_eq!(
        (head.status, head.body.len(), head.header("content-length")),
        (200, 0, Some(size.to_string().as_str()))
    );
    let part = send(toy.address(), "GET", path, &[("Range", "bytes=1-3")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"PNG"[..]));
    assert_eq!(
        part.header("content-range"),
        Some(format!("bytes 1-3/{size}").as_str())
    );
    assert_eq!(part.header("content-length"), Some("3"));
    let outside = send(
        toy.address(),
        "GET",
        path,
        &[("Range", "bytes=99999999-")],
        b"",
    );
    assert_eq!(
        (outside.status, outside.header("content-range")),
        (416, Some(format!("bytes */{size}").as_str()))
    );
    let unchanged = send(toy.address(), "GET", path, &[("If-None-Match", &tag)], b"");
    assert_eq!(
        (
            unchanged.status,
            unchanged.body.len(),
            unchanged.header("etag")
        ),
        (304, 0, Some(tag.as_str()))
    );
    assert_eq!(
        send(
            toy.address(),
            "GET",
            path,
            &[("If-None-Match", "\"other\"")],
            b""
        )
        .status,
        200
    );
}

#[test]
fn previews_and_channels() {
    let toy = toy();
    let view = |query: &str| toy.get(&format!("/view?filename=example.png&type=input&{query}"));
    for (query, media_type, format) in [
        ("preview=webp;50", "image/webp", ImageFormat::WebP),
        ("preview=jpeg;90", "image/jpeg", ImageFormat::Jpeg),
        ("preview=bmp", "image/webp", ImageFormat::WebP),
        ("channel=rgb", "image/png", ImageFormat::Png),
        ("channel=a", "image/png", ImageFormat::Png),
        ("channel=zz", "image/png", ImageFormat::Png),
    ] {
        let answer = view(query);
        assert_eq!(answer.header("content-type"), Some(media_type), "{query}");
        assert_eq!(
            answer.header("content-disposition"),
            Some("filename=\"example.png\""),
            "{query}"
        );
        assert_eq!(
            image::guess_format(&answer.body).unwrap(),
            format,
            "{query}"
        );
    }
    assert_eq!(
        decoded(&view("channel=rgb")).into_rgb8().get_pixel(0, 0).0,
        [7, 2, 3]
    );
    assert_eq!(
        decoded(&view("channel=a")).into_rgba8().get_pixel(0, 0).0,
        [0, 0, 0, 128]
    );
    assert_eq!(toy.get("/view?filename=page.html&preview=webp").status, 400);
}
