//! The change log: how every process learns what it must forget.
//!
//! [`super::Conn`] methods note what they touched; the commit gives each note a number from one row that is
//! then locked until the transaction ends. So numbers become visible in order, and whoever asks for what
//! came after the last number that it saw never misses one.

use super::{Conn, statement::sql};
use crate::{error::Result, id::WorkspaceId};

/// How many changes are read at once.
const BATCH: i64 = 1000;

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A workspace, its redirect URIs or its JWT secret; the target is its id.
    Workspace,
    /// An API key, by its id.
    ApiKey,
    /// An integration, by its id.
    Integration,
    /// A connection, by its id.
    Connection,
    /// A new connection's credential, by the connection's id; a refresh is not told of.
    Credential,
    /// A webhook endpoint, by its id.
    Endpoint,
    /// A user, by its id.
    User,
    /// A team, by its slug.
    Team,
    /// An operator or its roles, by its id.
    Operator,
    /// Something that only a newer program over the same database knows of.
    Other,
}

impl Topic {
    const ALL: [Self; 9] = [
        Self::Workspace,
        Self::ApiKey,
        Self::Integration,
        Self::Connection,
        Self::Credential,
        Self::Endpoint,
        Self::User,
        Self::Team,
        Self::Operator,
    ];

    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::ApiKey => "api_key",
            Self::Integration => "integration",
            Self::Connection => "connection",
            Self::Credential => "credential",
            Self::Endpoint => "endpoint",
            Self::User => "user",
            Self::Team => "team",
            Self::Operator => "operator",
            Self::Other => "other",
        }
    }

    /// Reads what [`Topic::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text)
    }
}

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number; later commits have greater ones.
    pub seq: i64,
    /// In which workspace; `None` for what belongs to none.
    pub workspace_id: Option<WorkspaceId>,
    /// What kind of thing.
    pub topic: Topic,
    /// Which one, by id.
    pub target: String,
}

/// A change that the coming commit will write, or that was heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// In which workspace; `None` for what belongs to none.
    pub workspace: Option<WorkspaceId>,
    /// What kind of thing.
    pub topic: Topic,
    /// Which one, by id.
    pub target: String,
}

impl Change {
    /// What it says, without its number.
    pub(crate) fn note(&self) -> Note {
        Note { workspace: self.workspace_id.clone(), topic: self.topic, target: self.target.clone() }
    }
}

impl Conn {
    /// What changed after number `seq`, in order, at most a thousand at once.
    pub async fn any_changes_after(&mut self, seq: i64) -> Result<Vec<Change>> {
        let query = sql("select seq, workspace_id, topic, target from change_log where seq > $1 \
                         order by seq limit $2");
        let rows = self.rows(query.int(seq).int(BATCH)).await?;
        let read = rows.iter().map(|row| {
            Ok(Change {
                seq: row.int("seq")?,
                workspace_id: row.maybe_id("workspace_id", WorkspaceId::from_row)?,
                topic: Topic::parse(&row.text("topic")?).unwrap_or(Topic::Other),
                target: row.text("target")?,
            })
        });
        read.collect()
    }

    /// The number of the last change; 0 when there was none.
    pub async fn any_last_change(&mut self) -> Result<i64> {
        let row = self.row(sql("select seq from change_head where id = 1")).await?;
        row.map_or(Ok(0), |row| row.int("seq"))
    }

    /// Notes a change for the commit to write; the same one twice is one.
    pub(super) fn note(&mut self, workspace: Option<&WorkspaceId>, topic: Topic, target: &str) {
        let note = Note { workspace: workspace.cloned(), topic, target: target.to_owned() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Notes a change for this process alone: the others find out by themselves, and need not at once.
    pub(super) fn note_here(&mut self, workspace: &WorkspaceId, topic: Topic, target: &str) {
        self.here.push(Note { workspace: Some(workspace.clone()), topic, target: target.to_owned() });
    }

    /// Writes what was noted. Must be the last thing before the commit: it locks the head row.
    pub(super) async fn write_notes(&mut self) -> Result<()> {
        let Ok(count @ 1..) = i64::try_from(self.notes.len()) else { return Ok(()) };
        let notes = std::mem::take(&mut self.notes);
        let head = sql("update change_head set seq = seq + $1 where id = 1 returning seq").int(count);
        let last = self.changed_row(head).await?.map_or(Ok(0), |row| row.int("seq"))?;
        for (note, seq) in notes.iter().zip(last - count + 1..) {
            let insert = sql("insert into change_log (seq, workspace_id, topic, target, at) \
                              values ($1, $2, $3, $4, $5)");
            let insert = insert.int(seq).maybe_text(note.workspace.as_ref().map(WorkspaceId::as_str));
            self.execute(insert.text(note.topic.as_str()).text(&note.target).at(self.now)).await?;
        }
        self.here.extend(notes);
        Ok(())
    }
}
