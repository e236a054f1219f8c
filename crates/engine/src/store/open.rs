//! Opening the database: its kind, its pools, and what each of its connections is told first.
//!
//! SQLite has one connection that writes and several that only read; a second writer would only wait for
//! the first and then fail. PostgreSQL has one pool for both.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Conn,
    board::Board,
    conn::Shared,
    fault::{fault, in_time},
    plan::Plans,
    reach::reached,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::audit::Actor,
    error::{Error, Result},
    time::Millis,
};
use futures_util::future::BoxFuture;
use sqlx::{
    Any, AnyConnection, AnyPool, Connection as _, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};

const ACQUIRE: Duration = Duration::from_secs(15);
/// How long connections may take to be closed, with what is still asked through them.
const CLOSE: Duration = Duration::from_secs(10);
const READERS: u32 = 8;
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a connection to PostgreSQL may have been idle to be used without asking whether it is still there.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const PING: Duration = Duration::from_secs(2);
/// For each PostgreSQL connection. A process that is frozen in the middle of a transaction would keep what that locks, and
/// everybody else from it, for as long as it is; sooner than whoever waits for it gives up.
pub(super) const LET_GO: &str = "set idle_in_transaction_session_timeout = '10s'";
/// For each SQLite connection. `full`: a token that was just rotated must survive a power cut. `secure_delete`: what is
/// erased is overwritten.
pub(super) const PRAGMAS: &str = "pragma busy_timeout = 10000; pragma journal_mode = wal; pragma synchronous = full; \
                       pragma foreign_keys = on; pragma secure_delete = on;";

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file beside the program.
    Sqlite,
    /// A server.
    Postgres,
}

/// The database. Cloning it gives another handle to the same pools.
#[derive(Clone)]
pub struct Store {
    pub(super) kind: Kind,
    read: AnyPool,
    pub(super) write: AnyPool,
    /// The SQLite file.
    pub(super) file: Option<PathBuf>,
    shared: Arc<Shared>,
}

impl Store {
    /// Opens `sqlite://path` (made when missing, readable by its owner only) or `postgres://…`. Does not
    /// migrate. [`Error::Invalid`] for a URL that can't be one; the error never repeats the URL.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, POSTGRES_CONNECTIONS).await
    }

    /// The same with so many connections at most, where it is a server.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(url: &str, connections: u32) -> Result<Self> {
        sqlx::any::install_default_drivers();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::open_postgres(url, connections).await;
        }
        match url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            Some(path) => Self::open_sqlite(path).await,
            None => Err(invalid("expected sqlite://path or postgres://…")),
        }
    }

    async fn open_postgres(url: &str, connections: u32) -> Result<Self> {
        let options: AnyConnectOptions = url.parse().map_err(|_| invalid("is not a URL"))?;
        let plans = Arc::new(Plans::default());
        let pool = reached(Kind::Postgres, postgres_pool(connections, plans.clone()), options).await?;
        Ok(Self {
            kind: Kind::Postgres,
            read: pool.clone(),
            write: pool,
            file: None,
            shared: Arc::new(Shared { plans, ..Shared::default() }),
        })
    }

    async fn open_sqlite(path: &str) -> Result<Self> {
        let file = sqlite_path(path)?;
        create_private(&file)?;
        let options: AnyConnectOptions = sqlite_url(&file)?.parse().map_err(|_| invalid("is not a path"))?;
        // The journal mode is a property of the file; setting it for the first time wants the file alone.
        let guard = super::migrate::lock_beside(&file).await?;
        let write = reached(Kind::Sqlite, sqlite_pool(1, false), options.clone()).await?;
        drop(guard);
        let read = reached(Kind::Sqlite, sqlite_pool(READERS, true), options).await?;
        Ok(Self { kind: Kind::Sqlite, read, write, file: Some(file), shared: Arc::default() })
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many connections it has at most that can be read through.
    pub fn connections(&self) -> usize {
        usize::try_from(self.read.options().get_max_connections()).unwrap_or(usize::MAX)
    }

    /// A connection for queries only; a change asked of it is an internal error.
    pub async fn read(&self) -> Result<Conn> {
        // Boxed for the reason given in `conn`.
        let acquired: BoxFuture<'_, _> = Box::pin(self.read.acquire());
        let link = acquired.await.map_err(fault)?;
        Ok(Conn::reading(self.kind, link, self.read.clone(), self.shared.clone()))
    }

    /// Begins a unit of work. `actor` signs its administrative changes, `now` is when they happen.
    pub async fn begin(&self, actor: Actor, now: Millis) -> Result<Conn> {
        let link = self.transaction().await?;
        Ok(Conn::writing(self.kind, link, actor, now, self.shared.clone()))
    }

    /// Ends once a commit of this process has put a delivery in line since it was last awaited. Other processes'
    /// commits are not heard.
    pub async fn deliverable(&self) {
        self.shared.deliverable.notified().await;
    }

    /// What changed.
    pub(crate) fn board(&self) -> &Board {
        &self.shared.board
    }

    /// Begins a transaction that may write.
    pub(super) fn transaction(&self) -> BoxFuture<'_, Result<Transaction<'static, Any>>> {
        Box::pin(async move {
            match self.kind {
                // At once, so that it waits for its turn here and never fails at its first change.
                Kind::Sqlite => self.write.begin_with("begin immediate").await.map_err(fault),
                // Nothing has happened yet where the connection turns out to be gone: then another one does.
                Kind::Postgres => match in_time(self.kind, Box::pin(self.write.begin())).await {
                    Err(error) if self.shared.plans.hear(&error) => {
                        in_time(self.kind, Box::pin(self.write.begin())).await
                    }
                    begun => begun,
                },
            }
        })
    }

    /// What time the database has, for all processes to agree.
    pub async fn database_time(&self) -> Result<Millis> {
        let row =
            in_time(self.kind, Box::pin(database_time(self.kind).query().fetch_one(&self.read))).await?;
        Row(row).at("at")
    }

    /// Whether the database takes changes: makes one, and keeps it. One that is undone, or that leaves everything as it was,
    /// never reaches the disk, and a full one would go unnoticed.
    pub async fn check_writable(&self) -> Result<()> {
        let mut transaction = self.transaction().await?;
        let touch = sql("update change_head set checked = checked + 1 where id = 1");
        in_time(self.kind, Box::pin(touch.query().execute(&mut *transaction))).await?;
        in_time(self.kind, Box::pin(transaction.commit())).await
    }

    /// Closes every connection, after the work in progress. One that is silent is not waited for for ever.
    pub async fn close(&self) {
        let closed = async {
            self.read.close().await;
            self.write.close().await;
        };
        if tokio::time::timeout(CLOSE, closed).await.is_err() {
            tracing::warn!("not every connection to the database could be closed in order");
        }
    }
}

/// Asks the database what time it has: the one text that each kind has its own of.
pub(super) fn database_time(kind: Kind) -> Statement {
    match kind {
        Kind::Sqlite => sql("select cast(unixepoch('subsec') * 1000 as bigint) as at"),
        Kind::Postgres => sql("select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as at"),
    }
}

/// A connection is asked whether it is there before it is used after a pause. Once one was not, each is asked, and when it
/// comes back too: the driver's own question has no limit, and one that is silent would keep its place for ever.
pub(super) fn postgres_pool(connections: u32, plans: Arc<Plans>) -> AnyPoolOptions {
    let back = plans.clone();
    let pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
    let pool = pool.test_before_acquire(false).before_acquire(move |link, standing| {
        let outdated = plans.outdated(standing.age);
        let doubted = standing.idle_for >= PAUSE || plans.line.is_shaken();
        Box::pin(async move {
            match (outdated, doubted) {
                (true, _) => Ok(false),
                (false, true) => answers(link).await,
                (false, false) => Ok(true),
            }
        })
    });
    let pool = pool.after_connect(|link, _| {
        Box::pin(async move { sqlx::raw_sql(LET_GO).execute(link).await.map(drop) })
    });
    pool.after_release(move |link, _| {
        let shaken = back.line.is_shaken();
        Box::pin(async move { if shaken { answers(link).await } else { Ok(true) } })
    })
}

/// Whether a connection answers at all. One that does not is not even asked to end in order.
async fn answers(link: &mut AnyConnection) -> sqlx::Result<bool> {
    match tokio::time::timeout(PING, link.ping()).await {
        Ok(answered) => answered.map(|()| true),
        Err(late) => Err(sqlx::Error::Io(late.into())),
    }
}

pub(super) fn sqlite_pool(connections: u32, read_only: bool) -> AnyPoolOptions {
    let pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
    // Nothing between us and a file can drop a connection: no ping before each use, no renewal.
    let pool = pool.test_before_acquire(false).max_lifetime(None).idle_timeout(None);
    // Where a commit fails (a full disk), SQLite may undo the transaction by itself, and the driver goes on believing that it
    // is open: no other would ever begin on that connection.
    let pool = pool.after_release(|link, _| {
        Box::pin(async move {
            link.ping().await?;
            Ok(!link.is_in_transaction())
        })
    });
    pool.after_connect(move |link, _| {
        Box::pin(async move {
            sqlx::raw_sql(PRAGMAS).execute(&mut *link).await?;
            if read_only {
                sqlx::raw_sql("pragma query_only = on").execute(&mut *link).await?;
            }
            Ok(())
        })
    })
}

fn sqlite_path(path: &str) -> Result<PathBuf> {
    let (path, parameters) = path.split_once('?').map_or((path, ""), |(path, rest)| (path, rest));
    if !matches!(parameters, "" | "mode=rwc" | "mode=rw") {
        return Err(invalid("a sqlite URL takes no parameters"));
    }
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(invalid("a sqlite URL names a file: sqlite://claviger.db"));
    }
    let path = percent_encoding::percent_decode_str(path).decode_utf8();
    let path = path.map_err(|_| invalid("the path is not UTF-8"))?;
    std::path::absolute(Path::new(&*path)).map_err(|error| Error::Internal(error.into()))
}

/// The URL by which the driver opens a file.
pub(super) fn sqlite_url(file: &Path) -> Result<String> {
    let path = file.to_str().ok_or_else(|| invalid("the path is not UTF-8"))?;
    let path = percent_encoding::utf8_percent_encode(path, percent_encoding::NON_ALPHANUMERIC).to_string();
    Ok(format!("sqlite:///{}?mode=rw", path.trim_start_matches("%2F").replace("%2F", "/")))
}

/// Makes an empty file that only its owner may read; an existing one stays as it is.
fn create_private(file: &Path) -> Result<()> {
    match private().create_new(true).open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(invalid(format!("{} can't be made: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// How a file is opened that only its owner may read.
pub(super) fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("database_url", message)
}
