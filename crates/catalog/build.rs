//! Lists every file of `providers/` for `Catalog::builtin`, so that a new provider is one new file.

use std::{fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|ext| ext == "toml") {
            names.push(name);
        }
    }
    names.sort();
    let mut list = String::from("&[\n");
    for name in &names {
        let path = folder.join(name);
        writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string())
            .map_err(io::Error::other)?;
    }
    list.push(']');
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder this way only")]
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("builtin.rs"), list)?;
    // The build script's own protocol with cargo, not output.
    io::Write::write_all(&mut io::stdout(), b"cargo::rerun-if-changed=providers\n")
}
