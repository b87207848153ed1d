use std::io::Write as _;

use serde_json::json;

use super::*;

/// Files as pandas and polars write them: see `testdata/parquet/make.py`.
const MIXED: [(&str, &[u8]); 5] = [
    ("snappy", include_bytes!("../../../testdata/parquet/snappy.parquet")),
    ("gzip", include_bytes!("../../../testdata/parquet/gzip.parquet")),
    ("zstd", include_bytes!("../../../testdata/parquet/zstd.parquet")),
    ("plain, version 2", include_bytes!("../../../testdata/parquet/plain_v2.parquet")),
    ("of polars", include_bytes!("../../../testdata/parquet/polars.parquet")),
];
const ODD: &[u8] = include_bytes!("../../../testdata/parquet/odd.parquet");
const LARGE: &[u8] = include_bytes!("../../../testdata/parquet/large.parquet");

/// A file in memory, and how much of it was read.
struct Held(Bytes, AtomicU64);

impl Source for Held {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, String> {
        assert!(range.start <= range.end && range.end <= self.size(), "{range:?} is beyond the {} bytes", self.size());
        self.1.fetch_add(range.end - range.start, Ordering::Relaxed);
        Ok(self.0.slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()))
    }
}

fn held(content: &[u8]) -> Arc<dyn Source> {
    Arc::new(Held(Bytes::copy_from_slice(content), AtomicU64::new(0)))
}

fn read_all(content: &[u8]) -> Result<Table, String> {
    read(&held(content), Window { offset: 0, limit: 100 })
}

#[test]
fn what_writers_write_is_read() {
    let columns = [
        ("id", "integer"),
        ("share", "number"),
        ("small", "number"),
        ("ok", "boolean"),
        ("name", "string"),
        ("day", "string"),
        ("at", "string"),
        ("price", "number"),
        ("tags", "array"),
    ];
    let columns: Vec<(String, &str)> = columns.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    let rows = json!([
        [1, 0.5, 0.1, true, "a", "2026-08-01", "2026-08-01T10:00:00Z", "1.50", ["x", "y"]],
        [2, null, 0.2, false, "ä \"b\"", "1969-12-31", "2026-08-01T10:00:00.000001Z", "-0.05", []],
        [-3, "NaN", null, null, null, null, null, null, null],
        ["9007199254740993", 1e300, -1.5, true, "", "2026-08-01", "2026-08-01T10:00:00Z", "100.00", ["z", null]],
    ]);
    for (name, content) in MIXED {
        let table = read_all(content).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert_eq!(table.notes, std::collections::BTreeMap::new(), "{name}");
        assert_eq!(table.columns, columns, "{name}");
        assert_eq!(json!(table.rows), rows, "{name}");
        assert_eq!((table.total, table.truncated), (Some(4), false), "{name}");
    }
}

#[test]
fn what_cannot_be_shown_is_said_beside_what_can() {
    let table = read_all(ODD).expect("a table");
    let shown = |name: &str| {
        let place = table.columns.iter().position(|(column, _)| column == name).expect("a column");
        let cells: Vec<&Value> = table.rows.iter().map(|row| &row[place]).collect();
        (json!(cells), table.notes.get(&place).map(String::as_str))
    };
    assert_eq!(shown("nested.list.element.list.element"), (json!([null, null]), Some("lists of lists are not shown")));
    assert_eq!(
        shown("delta"),
        (json!([null, null]), Some("it is encoded by DELTA_BYTE_ARRAY, which is not read here"))
    );
    assert_eq!(shown("point.x"), (json!([1, null]), None));
    assert_eq!(shown("bytes"), (json!(["0xff00", "text"]), None));
    assert_eq!(shown("long"), (json!(["x".repeat(1000) + "…", "y"]), None));
    let (many, _) = shown("many");
    assert_eq!((many[0].as_array().map(Vec::len), &many[0][100]), (Some(101), &json!("… 1000 in all")));
}

#[test]
fn a_window_reads_the_pages_that_hold_it() {
    for (offset, limit, first, count) in
        [(0, 3, 0, 3), (25_000, 10, 25_000, 10), (39_995, 10, 39_995, 5), (40_000, 10, 0, 0), (9_995, 10, 9_995, 10)]
    {
        let source = Arc::new(Held(Bytes::from_static(LARGE), AtomicU64::new(0)));
        let of_source: Arc<dyn Source> = source.clone();
        let table = read(&of_source, Window { offset, limit }).expect("a table");
        let expected: Vec<Value> = (first..first + count).map(|n| json!([n, format!("row {n}")])).collect();
        assert_eq!((json!(table.rows), table.total), (json!(expected), Some(40_000)), "{offset}");
        assert_eq!(table.truncated, offset + count < 40_000, "{offset}");
        assert_eq!(table.notes.len(), 0, "{:?}", table.notes);
        let read = source.1.load(Ordering::Relaxed) - TAIL;
        assert!(read < LARGE.len() as u64 * 2 / 3, "{read} of {} bytes were read for rows from {offset}", LARGE.len());
    }
}

/// A sequence of numbers that is the same in each run.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

/// T-20: whatever is in a file, there is an answer.
#[test]
fn t20_files_that_are_cut_or_garbled_have_an_answer() {
    let (mut refused, mut noted, mut whole) = (0, 0, 0);
    let mut look = |content: &[u8]| match read_all(content) {
        Err(_) => refused += 1,
        Ok(table) if table.notes.is_empty() => whole += 1,
        Ok(_) => noted += 1,
    };
    let files = MIXED.iter().map(|(_, content)| *content).chain([ODD]);
    for (number, content) in files.enumerate() {
        for length in (0..content.len()).step_by(7) {
            look(&content[..length]);
            // The end stands where it stood, and something in the middle is gone.
            look(&[&content[..length / 2], &content[content.len() - length / 2..]].concat());
        }
        let mut below = random(number as u64);
        for _ in 0..500 {
            let mut garbled = content.to_vec();
            for _ in 0..=below(6) {
                let place = below(garbled.len());
                garbled[place] = u8::try_from(below(256)).unwrap();
            }
            look(&garbled);
        }
    }
    assert!(refused > 100 && noted > 100 && whole > 10, "{refused} {noted} {whole}");
}

#[test]
fn t20_footers_that_claim_much_are_refused() {
    let file = |footer: &[u8]| {
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        [MAGIC, footer, &length, MAGIC].concat()
    };
    let refused = |footer: &[u8]| read_all(&file(footer)).expect_err("it is refused");
    // A schema of groups within groups: field 2 is a list of structs, in which field 4 is a name and field 5 is 1.
    let nested = |depth: u32| {
        let mut footer = vec![0x15, 2, 0x19, 0xfc];
        let mut left = depth;
        while left >= 0x80 {
            footer.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
            left >>= 7;
        }
        footer.push(u8::try_from(left).unwrap());
        footer.extend([0x48, 1, b'g', 0x15, 2, 0].repeat(depth as usize));
        footer
    };
    for depth in [100, 9_000, 500_000] {
        assert_eq!(refused(&nested(depth)), "its schema makes no sense, or is nested too deep", "{depth}");
    }
    assert_eq!(read_all(b"PAR1PAR1").unwrap_err(), "it is too short for a Parquet file");
    let mut long = file(&[0; 100]);
    let end = long.len();
    long[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(read_all(&long).unwrap_err().starts_with("its footer has 4294967295 bytes"));
    long[end - 1] = b'E';
    assert_eq!(read_all(&long).unwrap_err(), "it does not end as a Parquet file does, or is encrypted");
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn zigzag(value: i64) -> Vec<u8> {
    varint(((value << 1) ^ (value >> 63)).cast_unsigned())
}

/// A page with a header that says what it is told to: of a kind, what it unpacks to, its values, their encoding.
fn page(kind: i64, unpacked: i64, values: i64, encoding: i64, body: &[u8]) -> Bytes {
    let (field, levels) =
        if kind == 2 { (0x4c, vec![]) } else { (0x2c, [vec![0x15], zigzag(3), vec![0x15], zigzag(3)].concat()) };
    let size = i64::try_from(body.len()).unwrap();
    let numbers = [vec![0x15], zigzag(values), vec![0x15], zigzag(encoding), levels, vec![0]].concat();
    let head = [vec![0x15], zigzag(kind), vec![0x15], zigzag(unpacked), vec![0x15], zigzag(size), vec![field], numbers];
    [head.concat(), vec![0], body.to_vec()].concat().into()
}

fn first_page(content: Bytes, compression: parquet::basic::Compression, is_list: bool) -> Result<(), String> {
    use parquet::column::page::PageReader as _;

    let place = 0..content.len() as u64;
    let source: Arc<dyn Source> = Arc::new(Held(content, AtomicU64::new(0)));
    let mut pages = Pages::new((source, Arc::default()), compression, is_list, place);
    pages.get_next_page().map(drop).map_err(reason)
}

#[test]
fn t20_pages_that_claim_much_are_refused_before_they_are_unpacked() {
    use parquet::basic::{Compression, GzipLevel, ZstdLevel};

    let gzip = Compression::GZIP(GzipLevel::default());
    let packed = |bytes: usize| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(&vec![0; bytes]).unwrap();
        writer.finish().unwrap()
    };
    assert_eq!(first_page(page(0, 8, 1, 0, &packed(8)), gzip, false), Ok(()));
    let another = Err("a page unpacks to another size than it says".to_owned());
    assert_eq!(first_page(page(0, 8, 1, 0, &packed(64 << 20)), gzip, false), another);
    assert_eq!(first_page(page(0, 9, 1, 0, &packed(8)), gzip, false), another);
    // Snappy says by itself what it unpacks to: here almost 4 GiB.
    assert_eq!(first_page(page(0, 8, 1, 0, &[0xff, 0xff, 0xff, 0xff, 0x0e, 0]), Compression::SNAPPY, false), another);
    let zstd = Compression::ZSTD(ZstdLevel::default());
    // A frame with a window of 1 GiB.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0, 0];
    assert!(first_page(page(0, 8, 1, 0, &window), zstd, false).is_err());
    let refused =
        |content, is_list| first_page(content, Compression::UNCOMPRESSED, is_list).expect_err("it is refused");
    let most = i64::from(i32::MAX);
    assert!(refused(page(0, most, 1, 0, b"x"), false).contains("more than the 16777216 that are looked at"));
    assert!(refused(page(2, 4, most, 0, b"abcd"), false).contains("more than the 4 that are looked at"));
    assert!(refused(page(0, 4, most, 0, b"abcd"), true).contains("more than the 1048576 that are looked at"));
    assert!(refused(page(0, 4, 1, 6, b"abcd"), false).contains("DELTA_LENGTH_BYTE_ARRAY"));
    assert!(refused(page(0, -1, 1, 0, b"abcd"), false).contains("makes no sense"));
    assert!(refused(page(0, 4, 1, 0, b"abcd").slice(..8), false).contains("makes no sense"));
    let cut = page(0, 4, 1, 0, b"abcd");
    assert!(refused(cut.slice(..cut.len() - 1), false).contains("a page"));
    assert!(first_page(page(0, 4, 1, 0, b"abcd"), Compression::LZO, false).unwrap_err().contains("LZO"));
}
