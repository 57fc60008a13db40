use super::*;

fn folders(base: &Path) -> Folders {
    Folders::new(FoldersOptions {
        base: base.to_path_buf(),
        ..FoldersOptions::default()
    })
    .unwrap()
}

fn touch(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "").unwrap();
}

#[test]
fn keys_come_in_comfyui_order() {
    let directory = tempfile::tempdir().unwrap();
    let folders = folders(directory.path());
    let keys: Vec<_> = folders.model_folders().collect();
    assert_eq!(
        keys,
        [
            "checkpoints",
            "configs",
            "loras",
            "vae",
            "text_encoders",
            "diffusion_models",
            "clip_vision",
            "style_models",
            "embeddings",
            "diffusers",
            "vae_approx",
            "controlnet",
            "gligen",
            "upscale_models",
            "custom_nodes",
            "hypernetworks",
            "photomaker",
            "classifiers",
            "model_patches",
            "audio_encoders"
        ]
    );
    assert_eq!(folders.model_folder("unet").unwrap().directories.len(), 3);
}

#[test]
fn directories_are_made_below_the_base_or_where_asked() {
    let directory = tempfile::tempdir().unwrap();
    let options = FoldersOptions {
        base: directory.path().join("base"),
        temp: Some(directory.path().join("scratch")),
        output: Some(directory.path().join("results/../out")),
        ..FoldersOptions::default()
    };
    let folders = Folders::new(options).unwrap();
    folders.create_all().unwrap();
    assert_eq!(folders.output_dir(), directory.path().join("out"));
    assert_eq!(folders.temp_dir(), directory.path().join("scratch/temp"));
    for made in [
        "base/models/checkpoints",
        "base/models/t2i_adapter",
        "base/input",
        "base/user",
        "out",
        "scratch/temp",
    ] {
        assert!(directory.path().join(made).is_dir(), "{made}");
    }
    touch(&folders.temp_dir().join("a/b.png"));
    folders.clear_temp().unwrap();
    assert!(!folders.temp_dir().exists());
    folders.clear_temp().unwrap();
}

#[test]
fn listings_are_sorted_filtered_and_see_changes() {
    let directory = tempfile::tempdir().unwrap();
    let folders = folders(directory.path());
    let checkpoints = directory.path().join("models/checkpoints");
    assert_eq!(folders.list("checkpoints").unwrap(), Vec::<String>::new());
    for name in [
        "b.safetensors",
        "sub/a.CKPT",
        "readme.txt",
        ".git/x.safetensors",
        "B.pt",
    ] {
        touch(&checkpoints.join(name));
    }
    touch(&directory.path().join("output/checkpoints/b.safetensors"));
    touch(
        &directory
            .path()
            .join("output/checkpoints/saved.safetensors"),
    );
    assert_eq!(
        folders.list("checkpoints").unwrap(),
        ["B.pt", "b.safetensors", "saved.safetensors", "sub/a.CKPT"]
    );
    touch(&checkpoints.join("sub/new.pt"));
    assert!(
        folders
            .list("checkpoints")
            .unwrap()
            .contains(&"sub/new.pt".to_owned())
    );
    std::fs::remove_file(checkpoints.join("B.pt")).unwrap();
    assert!(
        !folders
            .list("checkpoints")
            .unwrap()
            .contains(&"B.pt".to_owned())
    );
    assert!(matches!(
        folders.list("nope"),
        Err(FolderError::UnknownModelFolder(_))
    ));
}

#[test]
fn models_are_found_by_contained_names() {
    let directory = tempfile::tempdir().unwrap();
    let folders = folders(directory.path());
    touch(&directory.path().join("models/vae/a.pt"));
    touch(&directory.path().join("models/vae/sub/b.pt"));
    touch(&directory.path().join("secret.pt"));
    assert!(
        folders
            .find("vae", "a.pt")
            .unwrap()
            .ends_with("models/vae/a.pt")
    );
    assert!(
        folders
            .find("vae", "../../a.pt")
            .unwrap()
            .ends_with("models/vae/a.pt"),
        "`..` stops at the directory"
    );
    for name in ["../../secret.pt", "sub", "", "missing.pt"] {
        let message = folders.find("vae", name).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("Model in folder 'vae' with filename '{name}' not found.")
        );
    }
}

#[cfg(unix)]
#[test]
fn links_between_models_are_followed_but_not_round_and_round() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    let folders = folders(&directory.path().join("base"));
    touch(&directory.path().join("disk/sd/a.pt"));
    folders.create_all().unwrap();
    let loras = directory.path().join("base/models/loras");
    symlink(directory.path().join("disk"), loras.join("disk")).unwrap();
    symlink(&loras, loras.join("again")).unwrap();
    assert_eq!(folders.list("loras").unwrap(), ["disk/sd/a.pt"]);
    assert!(folders.find("loras", "disk/sd/a.pt").is_ok());
}

#[test]
fn extra_paths_are_added() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = directory.path().join("conf/paths.yaml");
    touch(&yaml);
    let text = "first:\n  base_path: disk\n  checkpoints: sd\n  clip: |\n    a\n    b\n  mine: things\nsecond:\n  is_default: true\n  checkpoints: ../own\nempty:\n";
    std::fs::write(&yaml, text).unwrap();
    let options = FoldersOptions {
        base: directory.path().to_path_buf(),
        extra_model_paths: vec![yaml.clone()],
        ..FoldersOptions::default()
    };
    let folders = Folders::new(options.clone()).unwrap();
    let paths = |key| folders.model_folder(key).unwrap().directories.clone();
    assert_eq!(paths("checkpoints")[0], directory.path().join("own"));
    assert_eq!(
        paths("checkpoints").last().unwrap(),
        &directory.path().join("conf/disk/sd")
    );
    assert_eq!(
        paths("text_encoders")[3..],
        [
            directory.path().join("conf/disk/a"),
            directory.path().join("conf/disk/b")
        ]
    );
    touch(&directory.path().join("conf/disk/things/any.file"));
    assert_eq!(folders.list("mine").unwrap(), ["any.file"]);

    for bad in [
        "- a",
        "a: 1",
        "a:\n  checkpoints: [x]",
        "a: {is_default: 3}",
        "{",
    ] {
        std::fs::write(&yaml, bad).unwrap();
        assert!(
            matches!(
                Folders::new(options.clone()),
                Err(FolderError::ExtraPaths { .. })
            ),
            "{bad}"
        );
    }
    std::fs::remove_file(&yaml).unwrap();
    assert!(matches!(Folders::new(options), Err(FolderError::Io { .. })));
}

#[test]
fn annotated_names_choose_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let folders = folders(directory.path());
    folders.create_all().unwrap();
    let resolve = |name| folders.resolve_annotated(name, DirectoryKind::Input);
    assert_eq!(resolve("a.png").unwrap(), folders.input_dir().join("a.png"));
    assert_eq!(
        resolve("sub/a.png [output]").unwrap(),
        folders.output_dir().join("sub/a.png")
    );
    for bad in ["../user/a", "/etc/passwd", "../../etc/passwd [temp]"] {
        assert!(resolve(bad).is_err(), "{bad}");
    }
    assert_eq!(
        folders.resolve("temp", "x", "y.png").unwrap(),
        folders.temp_dir().join("x/y.png")
    );
    assert!(matches!(
        folders.resolve("models", "", "y"),
        Err(FolderError::UnknownDirectory(_))
    ));
    assert!(folders.resolve("input", "..", "y").is_err());
}

#[test]
fn pictures_of_the_input_directory_are_offered() {
    let directory = tempfile::tempdir().unwrap();
    let folders = folders(directory.path());
    for name in ["b.PNG", "a.webp", "notes.txt", "sub/c.png", "movie.mp4"] {
        touch(&directory.path().join("input").join(name));
    }
    assert_eq!(folders.input_images(), ["a.webp", "b.PNG"]);
}

#[test]
fn what_is_offered_is_listed_while_there_is_nothing_else_and_made_when_it_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let folders = Folders::new(FoldersOptions {
        base: directory.path().to_path_buf(),
        offered_models: vec![OfferedModel {
            folder: "checkpoints",
            name: "small.safetensors",
            write: |file| file.write_all(b"weights"),
        }],
        ..FoldersOptions::default()
    })
    .unwrap();
    let checkpoints = directory.path().join("models/checkpoints");
    let path = checkpoints.join("small.safetensors");

    assert_eq!(folders.list("checkpoints").unwrap(), ["small.safetensors"]);
    assert!(folders.list("loras").unwrap().is_empty());
    assert!(folders.find("loras", "small.safetensors").is_err());
    assert!(folders.find("checkpoints", "other.safetensors").is_err());
    assert!(!path.exists(), "nobody has used it");

    // Another model hides it.
    touch(&checkpoints.join("own.safetensors"));
    assert_eq!(folders.list("checkpoints").unwrap(), ["own.safetensors"]);
    assert!(folders.find("checkpoints", "small.safetensors").is_err());
    std::fs::remove_file(checkpoints.join("own.safetensors")).unwrap();

    assert_eq!(
        folders.find("checkpoints", "small.safetensors").unwrap(),
        path
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"weights");
    assert_eq!(folders.list("checkpoints").unwrap(), ["small.safetensors"]);
    let entries = std::fs::read_dir(&checkpoints).unwrap().count();
    assert_eq!(entries, 1, "nothing is left of the making");

    // What the user puts in its place stays.
    std::fs::write(&path, "the user's").unwrap();
    folders.place_offered("checkpoints").unwrap();
    folders.find("checkpoints", "small.safetensors").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"the user's");

    std::fs::remove_file(&path).unwrap();
    folders.place_offered("checkpoints").unwrap();
    assert!(path.is_file());
}

#[test]
fn what_could_not_be_written_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let folders = Folders::new(FoldersOptions {
        base: directory.path().to_path_buf(),
        offered_models: vec![OfferedModel {
            folder: "checkpoints",
            name: "small.safetensors",
            write: |file| {
                file.write_all(b"half")?;
                Err(std::io::Error::other("the disk is full"))
            },
        }],
        ..FoldersOptions::default()
    })
    .unwrap();
    let error = folders
        .find("checkpoints", "small.safetensors")
        .unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    let checkpoints = directory.path().join("models/checkpoints");
    assert_eq!(std::fs::read_dir(checkpoints).unwrap().count(), 0);
}
