//! Puts the dashboard that was built into the program (`dashboard/dist`).

#![allow(clippy::print_stdout, reason = "it is how cargo is told")]

#[path = "build/dist.rs"]
mod dist;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let dashboard = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../dashboard");
    let dist = dashboard.join("dist");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/dist.rs");
    // A place that is not there would have everything compiled anew each time, so its parent is watched until it is.
    for place in [&dist, &dashboard] {
        if place.is_dir() {
            println!("cargo:rerun-if-changed={}", place.display());
            break;
        }
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    std::fs::write(out.join("dashboard.rs"), dist::table(&dist, &out)?)?;
    Ok(())
}
