//! Some rows of a Parquet file: its end, which says where everything is, and of each column the pages that hold them.
//! Pure, but for the bytes that a [`Source`] gives.
//!
//! Such files come from users, and the decoder of the `parquet` crate believes them: it may panic, reserve whatever memory
//! a file claims to need, and go as deep as a schema is nested. So everything that is not bounded there is here, before it:
//! the schema's depth ([`check_nesting`]), and the sizes of pages (`pages`). A panic is an answer as any other.

mod cells;
mod compact;
mod pages;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::basic::Type;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::ColumnDescPtr;
use serde_json::Value;

use super::{Table, Window, check_width};
use cells::Meaning;
use compact::{Compact, Field, LIST, STRUCT};
use pages::Pages;

/// What a file begins and ends with.
pub(crate) const MAGIC: &[u8] = b"PAR1";
/// The end of a file, which says where everything is, at most.
const MOST_FOOTER: u64 = 4 << 20;
/// What is read of the end at first.
const TAIL: u64 = 64 << 10;
/// How deep a schema may be, and how many parts it may have.
const DEEPEST: usize = 32;
const MOST_PARTS: usize = 10_000;
/// Parts of columns that are looked at for one answer.
const MOST_CHUNKS: usize = 4000;
/// Elements of a list that are shown.
const MOST_ELEMENTS: usize = 100;

/// Where a file's bytes come from. A range is always within its size.
pub(crate) trait Source: Send + Sync {
    fn size(&self) -> u64;
    fn read(&self, range: Range<u64>) -> Result<Bytes, String>;
}

/// What one answer has cost so far.
#[derive(Debug, Default)]
struct Spending {
    read: AtomicU64,
    unpacked: AtomicU64,
    shown: AtomicU64,
}

impl Spending {
    /// Bytes of the file, of its pages when they are unpacked, and of texts that are shown, at most.
    const MOST_READ: u64 = 64 << 20;
    const MOST_UNPACKED: u64 = 128 << 20;
    const MOST_SHOWN: u64 = 8 << 20;

    fn read(&self, bytes: u64) -> Result<(), String> {
        spend(&self.read, bytes, Self::MOST_READ, "read")
    }

    fn unpack(&self, bytes: u64) -> Result<(), String> {
        spend(&self.unpacked, bytes, Self::MOST_UNPACKED, "unpacked")
    }

    fn show(&self, bytes: usize) -> Result<(), String> {
        spend(&self.shown, bytes as u64, Self::MOST_SHOWN, "shown")
    }
}

fn spend(spent: &AtomicU64, bytes: u64, most: u64, what: &str) -> Result<(), String> {
    match spent.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > most {
        true => Err(format!("more than {} MiB would have to be {what} for these rows", most >> 20)),
        false => Ok(()),
    }
}

/// Reads rows. A column that cannot be read has a note that says why, and a file of which nothing can be, is refused.
pub(crate) fn read(source: &Arc<dyn Source>, window: Window) -> Result<Table, String> {
    guarded(|| rows(source, window))
}

/// What the decoder panics of makes no sense.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("its content makes no sense".to_owned()))
}

fn rows(source: &Arc<dyn Source>, window: Window) -> Result<Table, String> {
    let metadata = footer(&**source)?;
    let schema = metadata.file_metadata().schema_descr();
    check_width(schema.num_columns())?;
    let (parts, total) = parts(&metadata, window)?;
    let shown: usize = parts.iter().map(|part| part.take).sum();
    let spending = Arc::new(Spending::default());
    let mut table = Table { rows: vec![Vec::new(); shown], ..Table::default() };
    for (number, column) in schema.columns().iter().enumerate() {
        let meaning = Meaning::of(column);
        let read_part = |part: &Part| -> Result<Vec<Value>, String> {
            let chunk = metadata.row_group(part.group).columns().get(number).ok_or("a part of it is missing")?;
            values((source, &spending), (column, chunk), (part.skip, part.take), meaning)
        };
        let cells = guarded(|| parts.iter().map(read_part).collect::<Result<Vec<_>, _>>().map(|parts| parts.concat()));
        let cells = cells.unwrap_or_else(|reason| {
            table.notes.insert(number, reason);
            Vec::new()
        });
        let kind = if column.max_rep_level() > 0 { "array" } else { meaning.word() };
        table.columns.push((name_of(column), kind));
        let cells = cells.into_iter().chain(std::iter::repeat(Value::Null));
        table.rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
    }
    table.total = Some(total);
    table.truncated = window.offset.saturating_add(shown) < total;
    Ok(table)
}

/// Rows of a group of rows.
struct Part {
    group: usize,
    skip: usize,
    take: usize,
}

/// Where the rows of a window are, and how many there are in all.
fn parts(metadata: &ParquetMetaData, window: Window) -> Result<(Vec<Part>, usize), String> {
    let columns = metadata.file_metadata().schema_descr().num_columns().max(1);
    let (mut parts, mut total, mut skip, mut wanted) = (Vec::new(), 0_usize, window.offset, window.limit);
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        let rows = usize::try_from(row_group.num_rows()).map_err(|_| "it has a negative number of rows")?;
        total = total.saturating_add(rows);
        if skip >= rows {
            skip -= rows;
            continue;
        }
        let take = (rows - skip).min(wanted);
        if take > 0 && (parts.is_empty() || parts.len() * columns < MOST_CHUNKS) {
            parts.push(Part { group, skip, take });
            wanted -= take;
        } else {
            // What follows would leave a gap.
            wanted = 0;
        }
        skip = 0;
    }
    Ok((parts, total))
}

fn footer(source: &dyn Source) -> Result<ParquetMetaData, String> {
    let size = source.size();
    let least = 2 * MAGIC.len() as u64 + 4;
    if size < least {
        return Err("it is too short for a Parquet file".to_owned());
    }
    let tail = source.read(size - TAIL.min(size)..size)?;
    let Some((rest, end)) = tail.split_last_chunk::<8>() else { return Err("its end cannot be read".to_owned()) };
    let (length, magic) = end.split_at(4);
    if magic != MAGIC {
        return Err("it does not end as a Parquet file does, or is encrypted".to_owned());
    }
    let length = u64::from(u32::from_le_bytes(length.try_into().unwrap_or_default()));
    if length > MOST_FOOTER || length > size - least {
        return Err(format!(
            "its footer has {length} bytes, more than the {MOST_FOOTER} that are read or than there are"
        ));
    }
    let whole;
    let bytes = match usize::try_from(length).ok().and_then(|length| rest.len().checked_sub(length)) {
        Some(start) => rest.get(start..).unwrap_or_default(),
        None => {
            whole = source.read(size - 8 - length..size - 8)?;
            &whole[..]
        }
    };
    check_nesting(bytes).ok_or("its schema makes no sense, or is nested too deep")?;
    ParquetMetaDataReader::decode_metadata(bytes).map_err(reason)
}

/// Nothing when a schema is larger or deeper than it is read: it is a list of parts of which each says how many of the
/// following are within it.
fn check_nesting(footer: &[u8]) -> Option<()> {
    let mut reader = Compact::new(footer);
    let mut last = 0;
    while let Field::Of { id, kind } = reader.field(&mut last)? {
        match (id, kind) {
            (2, LIST) => {
                let (parts, of) = reader.list()?;
                if of != STRUCT || parts > MOST_PARTS {
                    return None;
                }
                check_parts(&mut reader, parts)?;
            }
            _ => reader.skip(kind)?,
        }
    }
    Some(())
}

fn check_parts(reader: &mut Compact<'_>, parts: usize) -> Option<()> {
    /// The field that says how many parts are within one.
    const CHILDREN: i16 = 5;
    // Of each part that is open, how many are still to come within it.
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..parts {
        let (mut last, mut children) = (0, 0);
        while let Field::Of { id, kind } = reader.field(&mut last)? {
            match (id, kind) {
                (CHILDREN, 4..=6) => children = reader.integer()?,
                _ => reader.skip(kind)?,
            }
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > DEEPEST {
            return None;
        }
    }
    Some(())
}

/// The path of a column, without what writers put around the elements of a list.
fn name_of(column: &ColumnDescPtr) -> String {
    match column.path().parts() {
        [name @ .., list, element]
            if column.max_rep_level() == 1
                && !name.is_empty()
                && list == "list"
                && matches!(element.as_str(), "element" | "item") =>
        {
            name.join(".")
        }
        path => path.join("."),
    }
}

/// Values of some rows in a part of a column, as many as rows were asked for.
fn values(
    (source, spending): (&Arc<dyn Source>, &Arc<Spending>),
    (column, chunk): (&ColumnDescPtr, &ColumnChunkMetaData),
    rows: (usize, usize),
    meaning: Meaning,
) -> Result<Vec<Value>, String> {
    if column.max_rep_level() > 1 {
        return Err("lists of lists are not shown".to_owned());
    }
    let place = place_of(chunk, source.size())?;
    let source = (Arc::clone(source), Arc::clone(spending));
    let pages = Pages::new(source, chunk.compression(), column.max_rep_level() > 0, place);
    let integer = |value: i64| Ok(meaning.integer(value));
    let found = match column.physical_type() {
        Type::BOOLEAN => read_values::<BoolType>(column, pages, rows, |value| Ok(Value::from(*value))),
        Type::INT32 => read_values::<Int32Type>(column, pages, rows, |value| integer(i64::from(*value))),
        Type::INT64 => read_values::<Int64Type>(column, pages, rows, |value| integer(*value)),
        Type::INT96 => {
            read_values::<Int96Type>(column, pages, rows, |value| Ok(meaning.instant(i128::from(value.to_nanos()))))
        }
        Type::FLOAT => read_values::<FloatType>(column, pages, rows, |value| Ok(cells::short_number(*value))),
        Type::DOUBLE => read_values::<DoubleType>(column, pages, rows, |value| Ok(cells::number(*value))),
        Type::BYTE_ARRAY => {
            read_values::<ByteArrayType>(column, pages, rows, |value| meaning.bytes(value.data(), spending))
        }
        Type::FIXED_LEN_BYTE_ARRAY => {
            read_values::<FixedLenByteArrayType>(column, pages, rows, |value| meaning.bytes(value.data(), spending))
        }
    };
    found.map_err(reason)
}

fn place_of(chunk: &ColumnChunkMetaData, size: u64) -> Result<Range<u64>, String> {
    if chunk.file_path().is_some() {
        return Err("it is in another file".to_owned());
    }
    let dictionary = chunk.dictionary_page_offset().filter(|offset| *offset > 0);
    let start = dictionary.map_or(chunk.data_page_offset(), |offset| offset.min(chunk.data_page_offset()));
    let place = u64::try_from(start).ok().and_then(|start| {
        let length = u64::try_from(chunk.compressed_size()).ok()?;
        Some(start..start.checked_add(length)?)
    });
    place.filter(|place| place.end <= size).ok_or_else(|| "it is said to lie outside of the file".to_owned())
}

fn read_values<T: DataType>(
    column: &ColumnDescPtr,
    pages: Pages,
    (skip, take): (usize, usize),
    cell: impl Fn(&T::T) -> Result<Value, String>,
) -> Result<Vec<Value>, ParquetError> {
    let mut reader = ColumnReaderImpl::<T>::new(Arc::clone(column), Box::new(pages));
    let too_few = || pages::failed("it has fewer rows than it says");
    if reader.skip_records(skip)? != skip {
        return Err(too_few());
    }
    let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = 0;
    while rows < take {
        match reader.read_records(take - rows, Some(&mut definitions), Some(&mut repetitions), &mut values)? {
            (0, ..) => return Err(too_few()),
            (read, ..) => rows += read,
        }
    }
    let mut values = values.iter().map(|value| cell(value).map_err(pages::failed));
    let (full, listed) = (column.max_def_level(), column.repeated_ancestor_def_level());
    let mut next =
        |level: i16| if level == full { values.next().unwrap_or_else(|| Err(too_few())) } else { Ok(Value::Null) };
    match (column.max_rep_level(), full) {
        (0, 0) => (0..take).map(|_| next(0)).collect(),
        (0, _) => definitions.iter().map(|level| next(*level)).collect(),
        _ => lists(&definitions, &repetitions, listed, next),
    }
}

/// A list for each row; what is no list is null.
fn lists(
    definitions: &[i16],
    repetitions: &[i16],
    listed: i16,
    mut next: impl FnMut(i16) -> Result<Value, ParquetError>,
) -> Result<Vec<Value>, ParquetError> {
    let mut rows: Vec<Option<(Vec<Value>, usize)>> = Vec::new();
    for (definition, repetition) in definitions.iter().zip(repetitions) {
        if *repetition == 0 {
            rows.push((*definition >= listed - 1).then(|| (Vec::new(), 0)));
        }
        if *definition < listed {
            continue;
        }
        let element = next(*definition)?;
        if let Some(Some((elements, count))) = rows.last_mut() {
            *count += 1;
            if *count <= MOST_ELEMENTS {
                elements.push(element);
            }
        }
    }
    Ok(rows.into_iter().map(|row| row.map_or(Value::Null, |(elements, count)| list(elements, count))).collect())
}

fn list(mut elements: Vec<Value>, count: usize) -> Value {
    if count > elements.len() {
        elements.push(Value::from(format!("… {} in all", count)));
    }
    Value::Array(elements)
}

/// Without the crate's own words before it.
fn reason(error: ParquetError) -> String {
    match error {
        ParquetError::General(reason) | ParquetError::NYI(reason) | ParquetError::EOF(reason) => reason,
        other => other.to_string(),
    }
}
