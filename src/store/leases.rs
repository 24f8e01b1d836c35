//! The right to make the next step of a request's life.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::{Store, StoreError, requests::Kept};
use crate::domain::id::RequestId;

/// The right to make one request's next step. Only [`Store::lease_due`] makes one; once it lapsed and somebody else took
/// it over, it changes no row.
#[derive(Debug)]
pub struct Lease {
    pub(super) request: RequestId,
    pub(super) token: Uuid,
    is_end: bool,
    /// The row as its holder last read or wrote it. Under a lease hardly anybody else writes there.
    kept: Mutex<Option<Box<Kept>>>,
    /// The place it takes; dropped with it.
    place: Option<Arc<Place>>,
}

/// What a lease is for, as far as shares go.
#[derive(Debug)]
struct Place {
    connection: String,
    /// Known once the ticket was read.
    tenant: Mutex<Option<String>>,
    is_end: bool,
}

/// What this process has in work: leases that were not dropped yet.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Vec<Weak<Place>>>);

/// How many requests this process may lease at once. What others have in work does not count.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Requests that only have to end: ordered to, or their time is over.
    pub ends: u32,
    /// All others.
    pub others: u32,
    /// Of those, in work for one connection at a time.
    pub per_connection: u32,
    /// Of ends, and of all others, in work for one tenant at a time.
    pub per_tenant: u32,
}

impl Lease {
    /// The lease for which this token was drawn. Only what keeps the rows can know the token, and so has a reason to make
    /// one: under any other token no row changes.
    #[must_use]
    pub fn drawn(request: RequestId, token: Uuid, is_end: bool) -> Self {
        Self { request, token, is_end, kept: Mutex::default(), place: None }
    }

    /// What the row must hold for this lease to change it.
    #[must_use]
    pub fn token(&self) -> Uuid {
        self.token
    }

    /// Whose step it is.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Whether the request only has to end.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.is_end
    }

    pub(super) fn keep(&self, kept: Kept) {
        *locked(&self.kept) = Some(Box::new(kept));
    }

    /// From now on its place counts for this tenant.
    pub(super) fn is_for(&self, tenant: Option<&str>) {
        if let Some(place) = &self.place {
            *locked(&place.tenant) = tenant.map(str::to_owned);
        }
    }

    /// What was kept, once: while a move is on its way nobody knows what the row holds.
    pub(super) fn take_kept(&self) -> Option<Box<Kept>> {
        locked(&self.kept).take()
    }
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    fn take(&self, place: Place) -> Arc<Place> {
        let place = Arc::new(place);
        self.all().push(Arc::downgrade(&place));
        place
    }

    /// Those that are taken, column by column.
    fn taken(&self) -> (Vec<String>, Vec<Option<String>>, Vec<bool>) {
        let mut all = self.all();
        all.retain(|place| place.strong_count() > 0);
        let taken = all.iter().filter_map(Weak::upgrade);
        taken.map(|place| (place.connection.clone(), locked(&place.tenant).clone(), place.is_end)).collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<Place>>> {
        locked(&self.0)
    }
}

impl Store {
    /// Takes requests whose step is due and that nobody works on, longest waiting first (what only watches its ticket lets
    /// others go first for half a minute): any number of ends up to
    /// `room.ends`, others up to `room.others` and no more than `room.per_connection` of one connection at a time, so
    /// that a slow ticket system keeps neither ends nor other connections waiting; of either no more than `room.per_tenant`
    /// of one tenant, so that a tenant whose Graph hangs keeps nobody else waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_due(&self, now: Timestamp, until: Timestamp, room: Room) -> Result<Vec<Lease>, StoreError> {
        // A reading follows a lease on what is still being verified, so it covers the hints so far. Of what waits, no more of
        // a connection and tenant can be chosen than there is room for, so no more is looked at: a backlog costs nothing.
        // A lease need not outlive a crash of the database: one that is lost changes no row. So nobody waits for the disk.
        let (connections, tenants, are_ends) = self.places.taken();
        let rows = sqlx::query!(
            "-- store::leases::lease_due\n\
             with recursive pairs as (\
             (select connection, coalesce(tenant, '') as tenant from requests \
             where due_at is not null and end_requested is null and coalesce(held_state, state) not in ('active', 'ending') \
             order by connection, coalesce(tenant, '') limit 1) \
             union all select next.connection, next.tenant from pairs cross join lateral (\
             select r.connection, coalesce(r.tenant, '') as tenant from requests r \
             where r.due_at is not null and r.end_requested is null and coalesce(r.held_state, r.state) not in ('active', 'ending') \
             and (r.connection, coalesce(r.tenant, '')) > (pairs.connection, pairs.tenant) \
             order by r.connection, coalesce(r.tenant, '') limit 1) as next), \
             candidates as (select id from requests where due_at <= $1 and (leased_until is null or leased_until <= $1) \
             and (end_requested is not null or coalesce(held_state, state) in ('active', 'ending')) \
             union select first.id from pairs cross join lateral (\
             select r.id from requests r \
             where r.due_at is not null and r.end_requested is null and coalesce(r.held_state, r.state) not in ('active', 'ending') \
             and r.connection = pairs.connection and coalesce(r.tenant, '') = pairs.tenant \
             and r.due_at <= $1 and (r.leased_until is null or r.leased_until <= $1) \
             order by r.due_at limit $4) as first), \
             open as (select id, connection, tenant, \
             due_at + case when coalesce(held_state, state) = 'active' then interval '30 seconds' else interval '0' end as due_at, \
             end_requested is not null or coalesce(held_state, state) = 'ending' \
             or coalesce(held_state, state) = 'active' and (assignment->>'ends_at')::timestamptz <= $1 as is_end \
             from requests where id in (select id from candidates)), \
             places as (select * from unnest($7::text[], $8::text[], $9::boolean[]) as place (connection, tenant, is_end)), \
             by_connection as (select connection, count(*) as leased from places where not is_end group by connection), \
             by_tenant as (select tenant, is_end, count(*) as leased from places group by tenant, is_end), \
             of_tenants as (select open.id, open.connection, open.tenant, open.due_at, open.is_end, \
             row_number() over (partition by open.is_end, open.tenant order by open.due_at) + coalesce(by_tenant.leased, 0) as nth \
             from open left join by_tenant using (tenant, is_end)), \
             of_connections as (select id, due_at, is_end, \
             row_number() over (partition by is_end, connection order by due_at) + coalesce(by_connection.leased, 0) as nth \
             from of_tenants left join by_connection using (connection) where tenant is null or nth <= $6::bigint), \
             placed as (select id, is_end, row_number() over (partition by is_end order by due_at) as place \
             from of_connections where is_end or nth <= $5::bigint), \
             chosen as (select id from placed where place <= case when is_end then $3::bigint else $4::bigint end), \
             unhurried as materialized (select set_config('synchronous_commit', 'off', true) as set) \
             update requests set lease_token = gen_random_uuid(), leased_until = $2, woken = false, \
             hinted_approval = case when coalesce(held_state, state) in ('received', 'verifying') then null \
             else hinted_approval end \
             where (select set from unhurried) = 'off' \
             and id in (select id from requests where id in (select id from chosen) and due_at <= $1 \
             and (leased_until is null or leased_until <= $1) for update skip locked) \
             returning id, connection, tenant, lease_token as \"token!\", (end_requested is not null \
             or coalesce(held_state, state) = 'ending' \
             or coalesce(held_state, state) = 'active' and (assignment->>'ends_at')::timestamptz <= $1) as \"is_end!\"",
            now.to_sqlx(),
            until.to_sqlx(),
            i64::from(room.ends),
            i64::from(room.others),
            i64::from(room.per_connection),
            i64::from(room.per_tenant),
            &connections,
            &tenants as &[Option<String>],
            &are_ends,
        );
        let rows = rows.fetch_all(&self.steady).await?;
        let leases = rows.into_iter().map(|row| {
            let place = Place { connection: row.connection, tenant: Mutex::new(row.tenant), is_end: row.is_end };
            let lease = Lease::drawn(RequestId(row.id), row.token, row.is_end);
            Lease { place: Some(self.places.take(place)), ..lease }
        });
        Ok(leases.collect())
    }

    /// When the next request or note falls due or its lapsed lease may be taken over; `None` when nothing is open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let next = sqlx::query_scalar!(
            "-- store::leases::next_due\n\
             select min(at) from (\
             select min(due_at) as at from requests where due_at is not null and leased_until is null \
             union all select min(greatest(due_at, leased_until)) from requests where due_at is not null and leased_until is not null \
             union all select min(greatest(due_at, leased_until)) from notes where due_at is not null) as due"
        );
        Ok(next.fetch_one(&self.steady).await?.map(jiff_sqlx::Timestamp::to_jiff))
    }

    /// Whether a call may be sent under this lease: it is still held, and nobody ordered the request to end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_send(&self, lease: &Lease) -> Result<bool, StoreError> {
        let may = sqlx::query_scalar!(
            "-- store::leases::may_send\n\
             select exists (select from requests where id = $1 and lease_token = $2 and end_requested is null) as \"may!\"",
            lease.request.0,
            lease.token,
        );
        Ok(may.fetch_one(&self.pool).await?)
    }

    /// Gives a lease back without a move; the step is due again at `due_at`, or at once if something arrived meanwhile.
    ///
    /// # Errors
    /// When the database fails. A lease no longer held is no error: whoever holds it now decides.
    pub async fn release(&self, lease: Lease, due_at: Timestamp) -> Result<(), StoreError> {
        sqlx::query!(
            "-- store::leases::release\n\
             update requests set lease_token = null, leased_until = null, looks = looks + 1, \
             due_at = case when woken then least(due_at, $3) else $3 end \
             where id = $1 and lease_token = $2 and due_at is not null",
            lease.request.0,
            lease.token,
            due_at.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
