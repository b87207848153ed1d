//! The graph around an artifact: which artifacts and tasks it came from, and which came from it.
//!
//! It is walked level by level, a task a level, and bounded: a graph that has more says that it was cut.

use std::collections::{BTreeMap, BTreeSet};

use penstock_engine::NodeId;
use penstock_metastore::{ArtifactRecord, Execution, Metastore, MetastoreError};
use uuid::Uuid;

/// Most consumers of one artifact that are looked at.
const MOST_CONSUMERS: u32 = 1000;
/// Edges that a graph may have for each of its nodes.
const EDGES_PER_NODE: usize = 4;

/// A task of a run.
pub(crate) type TaskRef = (Uuid, NodeId);

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To what it came from.
    Upstream,
    /// To what came from it.
    Downstream,
    /// Both ways.
    Both,
}

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Tasks on a way.
    pub(crate) depth: u32,
    /// Artifacts and tasks in all.
    pub(crate) nodes: usize,
}

/// An edge, between an artifact and a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) artifact: Uuid,
    pub(crate) task: TaskRef,
    /// Whether the task put it out; otherwise the task took it.
    pub(crate) is_output: bool,
    /// Name of the output or input.
    pub(crate) name: String,
    pub(crate) position: u32,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) artifacts: Vec<ArtifactRecord>,
    pub(crate) executions: Vec<Execution>,
    pub(crate) edges: BTreeSet<Edge>,
    /// Whether there is more than was asked for.
    pub(crate) cut: bool,
}

/// Walks from an artifact.
pub(crate) async fn walk(
    store: &Metastore,
    root: Uuid,
    direction: Direction,
    bounds: Bounds,
) -> Result<Graph, MetastoreError> {
    let mut walk = Walk {
        store,
        bounds,
        artifacts: BTreeMap::new(),
        tasks: BTreeSet::new(),
        reached: BTreeSet::from([root]),
        expanded: BTreeSet::new(),
        edges: BTreeSet::new(),
        cut: false,
    };
    walk.read(&[root]).await?;
    if direction != Direction::Downstream {
        walk.upstream(root).await?;
    }
    if direction != Direction::Upstream {
        walk.downstream(root).await?;
    }
    walk.finish().await
}

struct Walk<'a> {
    store: &'a Metastore,
    bounds: Bounds,
    artifacts: BTreeMap<Uuid, ArtifactRecord>,
    /// Tasks that edges lead to.
    tasks: BTreeSet<TaskRef>,
    /// Artifacts that edges lead to, whether or not they can be read.
    reached: BTreeSet<Uuid>,
    /// Tasks whose other side was looked at.
    expanded: BTreeSet<TaskRef>,
    edges: BTreeSet<Edge>,
    cut: bool,
}

impl Walk<'_> {
    async fn upstream(&mut self, root: Uuid) -> Result<(), MetastoreError> {
        let mut frontier = vec![root];
        for _ in 0..self.bounds.depth {
            let mut makers = Vec::new();
            for id in &frontier {
                let Some(record) = self.artifacts.get(id) else { continue };
                let task = (record.run, record.node);
                let (name, position) = (record.output.clone(), record.position);
                if self.add_edge(Edge { artifact: *id, task, is_output: true, name, position }) {
                    makers.push(task);
                }
            }
            let makers: Vec<TaskRef> = makers.into_iter().filter(|task| self.expanded.insert(*task)).collect();
            let inputs = self.store.inputs_of(&makers, self.edge_room()).await?;
            let mut found = Vec::new();
            for taken in inputs {
                let task = (taken.run, taken.input.node);
                let (artifact, position) = (taken.input.artifact, taken.input.position);
                if self.add_edge(Edge { artifact, task, is_output: false, name: taken.input.input, position }) {
                    found.push(artifact);
                }
            }
            frontier = self.read(&found).await?;
            if frontier.is_empty() {
                return Ok(());
            }
        }
        // Whatever has been made by somebody goes on.
        self.cut |= !frontier.is_empty();
        Ok(())
    }

    async fn downstream(&mut self, root: Uuid) -> Result<(), MetastoreError> {
        let mut frontier = vec![root];
        for _ in 0..self.bounds.depth {
            let mut takers = Vec::new();
            for id in &frontier {
                let consumers = self.store.consumers(*id, None, MOST_CONSUMERS).await?;
                self.cut |= consumers.len() == MOST_CONSUMERS as usize;
                for taken in consumers {
                    let task = (taken.run, taken.input.node);
                    let (name, position) = (taken.input.input, taken.input.position);
                    if self.add_edge(Edge { artifact: *id, task, is_output: false, name, position }) {
                        takers.push(task);
                    }
                }
            }
            let takers: Vec<TaskRef> = takers.into_iter().filter(|task| self.expanded.insert(*task)).collect();
            let outputs = self.store.outputs_of(&takers, self.edge_room()).await?;
            let mut found = Vec::new();
            for made in outputs {
                let task = (made.run, made.node);
                let (artifact, name, position) = (made.artifact, made.output, made.position);
                if self.add_edge(Edge { artifact, task, is_output: true, name, position }) {
                    found.push(artifact);
                }
            }
            frontier = self.read(&found).await?;
            if frontier.is_empty() {
                return Ok(());
            }
        }
        for id in frontier {
            self.cut |= !self.store.consumers(id, None, 1).await?.is_empty();
        }
        Ok(())
    }

    /// Reads artifacts that are not known yet, as far as there is room; those that were added.
    async fn read(&mut self, ids: &[Uuid]) -> Result<Vec<Uuid>, MetastoreError> {
        let new: BTreeSet<Uuid> = ids.iter().filter(|id| !self.artifacts.contains_key(id)).copied().collect();
        let new: Vec<Uuid> = new.into_iter().collect();
        let mut added = Vec::new();
        for record in self.store.artifact_records(&new).await? {
            added.push(record.artifact.id);
            self.artifacts.insert(record.artifact.id, record);
        }
        Ok(added)
    }

    /// Adds an edge with the nodes that it joins, if there is room for them.
    fn add_edge(&mut self, edge: Edge) -> bool {
        let new_nodes =
            usize::from(!self.tasks.contains(&edge.task)) + usize::from(!self.reached.contains(&edge.artifact));
        let has_room = self.tasks.len() + self.reached.len() + new_nodes <= self.bounds.nodes && self.edge_room() > 0;
        if !has_room && !self.edges.contains(&edge) {
            self.cut = true;
            return false;
        }
        self.tasks.insert(edge.task);
        self.reached.insert(edge.artifact);
        self.edges.insert(edge);
        true
    }

    fn edge_room(&self) -> usize {
        self.bounds.nodes.saturating_mul(EDGES_PER_NODE).saturating_sub(self.edges.len())
    }

    async fn finish(self) -> Result<Graph, MetastoreError> {
        let tasks: Vec<TaskRef> = self.tasks.into_iter().collect();
        let executions = self.store.executions(&tasks).await?;
        Ok(Graph { artifacts: self.artifacts.into_values().collect(), executions, edges: self.edges, cut: self.cut })
    }
}
