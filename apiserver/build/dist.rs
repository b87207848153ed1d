//! The files of a built dashboard as the source of a table: what is served is settled when the program is compiled.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// The page itself; without it nothing has been built.
const PAGE: &str = "index.html";
/// The one folder that is served.
const ASSETS: &str = "assets";
/// Characters of a digest that tell versions apart.
const VERSION_LENGTH: usize = 32;

/// The source of a slice with all files of `dist`, which is empty when nothing was built. What is compressed is put into
/// `out`.
pub(crate) fn table(dist: &Path, out: &Path) -> io::Result<String> {
    let mut source = String::from("&[\n");
    if dist.join(PAGE).is_file() {
        for (number, (name, path)) in files(dist)?.into_iter().enumerate() {
            let content = fs::read(&path)?;
            let content_type = content_type(&name);
            let gzip = match smaller(&content)? {
                None => "None".to_owned(),
                Some(compressed) => {
                    let place = out.join(format!("{number}.gz"));
                    fs::write(&place, compressed)?;
                    format!("Some(include_bytes!({place:?}))")
                }
            };
            let version: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            let version = &version[..VERSION_LENGTH];
            let path = path.canonicalize()?;
            writeln!(
                source,
                "    DashboardFile {{ name: {name:?}, content_type: {content_type:?}, version: {version:?}, \
                 content: include_bytes!({path:?}), gzip: {gzip} }},"
            )
            .map_err(io::Error::other)?;
        }
    }
    source.push_str("]\n");
    Ok(source)
}

/// Names and places of files, in the order of names. Those that begin with a dot are notes of tools.
fn files(dist: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for (name, path) in entries(dist)? {
        match path.is_dir() {
            false => found.push((name, path)),
            true if name == ASSETS => {
                for (below, path) in entries(&path)? {
                    if path.is_dir() {
                        return Err(unserved(&path));
                    }
                    found.push((format!("{name}/{below}"), path));
                }
            }
            true => return Err(unserved(&path)),
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            io::Error::other(format!("{} has a file whose name is no text: {name:?}", folder.display()))
        })?;
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn unserved(folder: &Path) -> io::Error {
    io::Error::other(format!(
        "{} would not be served: of a built dashboard that are the files at its top and those in {ASSETS}",
        folder.display()
    ))
}

/// The content compressed, if that makes it smaller by more than a tenth.
fn smaller(content: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    let compressed = encoder.finish()?;
    Ok(Some(compressed).filter(|compressed| compressed.len() < content.len() / 10 * 9))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}
