//! Caps on everything that comes from outside. They are generous for any pipeline that people write and small
//! enough that no document can exhaust the machine.

/// Caps on documents and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an uploaded file, and of the text unpacked from it.
    pub document_bytes: usize,
    /// Entries that are looked at in an archive.
    pub archive_entries: usize,
    /// Greatest ratio of unpacked to packed bytes.
    pub archive_ratio: u64,
    /// Levels of lists and structs within each other, in documents and in parameter values.
    pub depth: usize,
    /// Documents in one file.
    pub documents: usize,
    /// Values in one document before aliases are counted.
    pub nodes: usize,
    /// Values that aliases may add to a document, in all: this many, or as many as the document holds, whichever is
    /// more.
    pub alias_nodes: usize,
    /// Tasks of a pipeline, over all components.
    pub tasks: usize,
    /// DAGs within each other.
    pub dag_depth: usize,
    /// Bytes of one name.
    pub name_bytes: usize,
    /// Iterations of one loop.
    pub loop_items: usize,
    /// Bytes of one parameter value as JSON.
    pub parameter_bytes: usize,
    /// Bytes of one CEL expression.
    pub expression_bytes: usize,
    /// Problems reported before the check stops looking.
    pub problems: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 32 << 20,
            archive_entries: 10_000,
            archive_ratio: 200,
            depth: 100,
            documents: 16,
            nodes: 4_000_000,
            alias_nodes: 100_000,
            tasks: 50_000,
            dag_depth: 64,
            name_bytes: 1024,
            loop_items: 100_000,
            parameter_bytes: 16 << 20,
            expression_bytes: 16 << 10,
            problems: 100,
        }
    }
}
