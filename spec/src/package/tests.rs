use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

use super::*;

const TEXT: &str = "a: 1\n";

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar archive with names as they are given, `..` and all.
fn tar_gz(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

fn read(name: &str, bytes: &[u8]) -> Result<String, PackageError> {
    unpack(name, bytes, &Limits::default()).map(|package| package.pipeline_text)
}

#[test]
fn plain_files_are_told_by_their_name() {
    for name in ["a.yaml", "a.yml", "a.json", "A.YAML"] {
        assert_eq!(read(name, TEXT.as_bytes()).unwrap(), TEXT);
    }
    let error = read("a.txt", TEXT.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("\"a.txt\""), "{error}");
    let error = read("a.zip", TEXT.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("its content is no archive"), "{error}");
}

#[test]
fn archives_are_told_by_their_first_bytes() {
    assert_eq!(read("a.yaml", &zip(&[("x.yaml", TEXT.as_bytes())])).unwrap(), TEXT);
    let archive = tar_gz(&[("x.yml", tar::EntryType::Regular, TEXT.as_bytes())]);
    assert_eq!(read("whatever", &archive).unwrap(), TEXT);
}

#[test]
fn pipeline_yaml_wins_in_archives() {
    let entries: [(&str, &[u8]); 3] = [("readme.md", b"x"), ("other.yaml", b"x"), ("pipeline.yaml", TEXT.as_bytes())];
    assert_eq!(read("a.zip", &zip(&entries)).unwrap(), TEXT);
    let archive = tar_gz(&entries.map(|(name, content)| (name, tar::EntryType::Regular, content)));
    assert_eq!(read("a.tar.gz", &archive).unwrap(), TEXT);
}

#[test]
fn otherwise_the_first_entry_must_be_yaml() {
    let entries: [(&str, &[u8]); 2] = [("readme.md", b"x"), ("other.yaml", TEXT.as_bytes())];
    assert!(matches!(read("a.zip", &zip(&entries)), Err(PackageError::Entry { entry }) if entry == "readme.md"));
    let archive = tar_gz(&entries.map(|(name, content)| (name, tar::EntryType::Regular, content)));
    assert!(matches!(read("a.tgz", &archive), Err(PackageError::Entry { entry }) if entry == "readme.md"));
    assert!(matches!(read("a.zip", &zip(&[])), Err(PackageError::NoEntry | PackageError::Zip(_))));
    assert!(matches!(read("a.tgz", &tar_gz(&[])), Err(PackageError::NoEntry)));
}

#[test]
fn t01_names_and_links_in_archives_lead_nowhere() {
    let link = ("pipeline.yaml", tar::EntryType::Symlink, &b""[..]);
    assert!(matches!(read("a.tgz", &tar_gz(&[link])), Err(PackageError::NoEntry)));
    let device = ("pipeline.yaml", tar::EntryType::Char, &b""[..]);
    assert!(matches!(read("a.tgz", &tar_gz(&[device])), Err(PackageError::NoEntry)));
    // Content is only read, so a name that would leave a directory means nothing.
    let outside = ("../../x.yaml", tar::EntryType::Regular, TEXT.as_bytes());
    assert_eq!(read("a.tgz", &tar_gz(&[outside])).unwrap(), TEXT);
}

#[test]
fn t21_i15_bombs_are_refused_while_they_unpack() {
    let zeros = vec![b' '; 64 << 20];
    assert!(matches!(
        read("a.tgz", &gzip(&zeros)),
        Err(PackageError::UnpackedTooLarge { .. } | PackageError::Ratio { .. })
    ));
    let archive = zip(&[("pipeline.yaml", &zeros)]);
    assert!(matches!(read("a.zip", &archive), Err(PackageError::UnpackedTooLarge { .. } | PackageError::Ratio { .. })));
    let limits = Limits { archive_entries: 2, ..Limits::default() };
    let many = zip(&[("a", b"x"), ("b", b"x"), ("c", b"x")]);
    assert!(matches!(unpack("a.zip", &many, &limits), Err(PackageError::TooManyEntries { limit: 2 })));
}

#[test]
fn i15_broken_archives_are_refused() {
    let good = zip(&[("pipeline.yaml", TEXT.as_bytes())]);
    for length in 2..good.len() {
        assert!(read("a.zip", &good[..length]).is_err(), "{length}");
    }
    let good = tar_gz(&[("pipeline.yaml", tar::EntryType::Regular, TEXT.as_bytes())]);
    for length in 2..good.len() / 2 {
        assert!(read("a.tgz", &good[..length]).is_err(), "{length}");
    }
}

#[test]
fn files_above_the_limit_are_refused() {
    let limits = Limits { document_bytes: 4, ..Limits::default() };
    let error = unpack("a.yaml", b"12345", &limits).unwrap_err().to_string();
    assert_eq!(error, "file size too large (5 bytes), maximum supported size: 4");
}

#[test]
fn i01_text_is_utf8_or_marked_utf16() {
    let utf16 = |unit: fn(u16) -> [u8; 2]| "\u{feff}ä: 1".encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    assert_eq!(read("a.yaml", &utf16(u16::to_le_bytes)).unwrap(), "ä: 1");
    assert_eq!(read("a.yaml", &utf16(u16::to_be_bytes)).unwrap(), "ä: 1");
    assert_eq!(read("a.yaml", "\u{feff}a".as_bytes()).unwrap(), "a");
    assert!(matches!(read("a.yaml", b"ab\xff"), Err(PackageError::Encoding { encoding: "UTF-8", at: 2 })));
    assert!(matches!(read("a.yaml", b"\xff\xfea"), Err(PackageError::Encoding { encoding: "UTF-16", .. })));
    assert!(matches!(read("a.yaml", b"\xff\xfe\x00\xd8"), Err(PackageError::Encoding { encoding: "UTF-16", .. })));
}

#[test]
fn i01_empty_and_binary_files_are_refused() {
    for empty in [&b""[..], b" \n", b"\xef\xbb\xbf"] {
        assert!(matches!(read("a.yaml", empty), Err(PackageError::Empty)), "{empty:?}");
    }
    assert!(matches!(read("a.yaml", b"ab\0c"), Err(PackageError::Binary { at: 2 })));
}

#[test]
fn i14_overlong_utf8_and_surrogates_are_refused() {
    assert!(read("a.yaml", b"a: \xc0\xaf").is_err());
    assert!(read("a.yaml", b"a: \xed\xa0\x80").is_err());
}

proptest::proptest! {
    #[test]
    fn i15_changed_archives_never_panic(at in 0_usize..400, byte in 0_u8..=255, compressed in proptest::bool::ANY) {
        let entries: [(&str, &[u8]); 2] = [("a.yaml", b"x"), ("pipeline.yaml", b"a: 1")];
        let mut archive = if compressed {
            tar_gz(&entries.map(|(name, content)| (name, tar::EntryType::Regular, content)))
        } else {
            zip(&entries)
        };
        let at = at % archive.len();
        archive[at] = byte;
        drop(read("a.zip", &archive));
    }
}
