//! One tenant's Entra, as a worker reaches it: what its calls bring about, and what comes back of that.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use stint::{
    clock::Clock,
    domain::{
        assignment::{
            Answer, AssignOrder, Holding, Lookup, Progress, RemoveOrder, ScheduleAction, ScheduleRequest, Sighting,
            UpdateOrder,
        },
        duration,
        entitlement::PrincipalKind,
        id::{ObjectId, RequestId},
        pim_policy::PimPolicy,
        sweep::Shown,
        target::Target,
    },
    engine::Entra,
    graph::{Composition, Everybody, GraphError, News, Sent, TenantFault, Way},
};
use uuid::Uuid;

use crate::{
    fault::Fault,
    ledger::{self, Asks, Done, What},
    people,
    pim::{Bend, No},
    scene::{At, Scene, World},
};

/// A tenant, as one worker reaches it.
#[derive(Debug)]
pub struct ModelEntra {
    pub scene: Scene,
    pub tenant: usize,
    pub clock: Clock,
    pub ahead: AtomicI64,
    pub told: Mutex<ToldOf>,
}

/// What this worker knows of the tenant as a whole.
#[derive(Debug, Default)]
pub struct ToldOf {
    news: Vec<News>,
    is_broken: bool,
    paused_until: Option<Timestamp>,
}

/// An order on its way.
#[derive(Clone, Debug)]
pub enum Order {
    Assign(AssignOrder),
    Update(UpdateOrder),
    Remove(RemoveOrder),
    Cancel(String, Uuid),
    Sessions(Uuid),
}

/// A call that arrives when nobody waits for its answer any more.
#[derive(Clone, Debug)]
pub struct Late {
    pub tenant: usize,
    pub order: Order,
}

const PART: &str = "roles: write";

impl Order {
    fn what(&self) -> What {
        match self {
            Self::Assign(order) if order.only_validate => What::Validate,
            Self::Assign(_) => What::Assign,
            Self::Update(_) => What::Update,
            Self::Remove(_) => What::Remove,
            Self::Cancel(..) => What::Cancel,
            Self::Sessions(_) => What::Sessions,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Assign(_) => "assign",
            Self::Update(_) => "update",
            Self::Remove(_) => "remove",
            Self::Cancel(..) => "cancel",
            Self::Sessions(_) => "revoke-sessions",
        }
    }

    fn call(&self) -> Uuid {
        match self {
            Self::Assign(order) => order.call_id,
            Self::Update(order) => order.call_id,
            Self::Remove(order) => order.call_id,
            Self::Cancel(_, call) | Self::Sessions(call) => *call,
        }
    }

    fn holding(&self) -> Option<&Holding> {
        match self {
            Self::Assign(order) => Some(&order.holding),
            Self::Update(order) => Some(&order.holding),
            Self::Remove(order) => Some(&order.holding),
            Self::Cancel(..) | Self::Sessions(_) => None,
        }
    }

    /// The request whose marker it carries.
    fn request(&self) -> Option<RequestId> {
        let text = match self {
            Self::Assign(order) => &order.justification,
            Self::Update(order) => &order.justification,
            Self::Remove(order) => &order.justification,
            Self::Cancel(..) | Self::Sessions(_) => return None,
        };
        text.split_whitespace().find_map(|word| word.strip_prefix("stint:")?.parse().ok())
    }

    fn asks(&self) -> Asks {
        match self {
            Self::Assign(order) => Asks::For(order.duration.signed()),
            Self::Update(order) => Asks::Until(order.ends_at),
            _ => Asks::Nothing,
        }
    }
}

impl ModelEntra {
    fn heard(&self, world: &World) {
        let ahead = self.clock.now().duration_since(world.now).as_secs();
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    fn of(&self) -> std::sync::MutexGuard<'_, ToldOf> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permission(&self) -> String {
        let mut told = self.of();
        if !std::mem::replace(&mut told.is_broken, true) {
            let (part, detail) = (PART.into(), "consent is missing".into());
            told.news.push(News::Broken { part, fault: TenantFault::Permission, detail });
        }
        "consent is missing".into()
    }

    fn works(&self) {
        let mut told = self.of();
        if std::mem::take(&mut told.is_broken) {
            told.news.push(News::Works { part: PART.into() });
        }
    }

    /// A reading, at its gate.
    async fn asked<T: Send>(
        &self,
        what: &'static str,
        read: impl FnOnce(&mut World, Option<Fault>) -> T + Send,
    ) -> Result<T, GraphError> {
        let fault = self.scene.pass(At::GraphRead(what)).await;
        let world = &mut *self.scene.world();
        match fault {
            Some(Fault::GraphDown) => {
                Err(GraphError::Unavailable { reason: "the connection broke".into(), after: None })
            }
            Some(Fault::GraphThrottled) => {
                self.of().paused_until = Some(world.now + SignedDuration::from_secs(15));
                Err(GraphError::Throttled { after: Some(duration::Duration::seconds(15)) })
            }
            Some(Fault::GraphUnreadable) => Err(GraphError::BadAnswer { reason: "half an answer".into() }),
            Some(Fault::GraphPermission) => {
                let (code, detail) = ("PermissionScopeNotGranted".into(), self.permission());
                Err(GraphError::Permission { code, detail })
            }
            _ => {
                self.heard(world);
                self.works();
                Ok(read(world, fault))
            }
        }
    }

    /// Sends it, at most once.
    async fn sent(&self, order: Order, send_not_after: Duration) -> Sent {
        let name = order.name();
        let fault = self.scene.pass(At::GraphSend(name)).await;
        if self.clock.monotonic() >= send_not_after {
            return not_sent("too late to send");
        }
        if fault == Some(Fault::GraphNotSent) {
            return not_sent("no connection");
        }
        let answer = {
            let world = &mut *self.scene.world();
            self.leaves(world, &order, fault);
            self.arrives(world, &order, fault)
        };
        self.scene.pass(At::Answer(name)).await;
        let world = &*self.scene.world();
        if !matches!(answer.answer, Answer::Unclear { .. }) {
            self.heard(world);
        }
        answer
    }

    fn leaves(&self, world: &mut World, order: &Order, fault: Option<Fault>) {
        let surely_not = matches!(
            fault,
            Some(Fault::GraphThrottled | Fault::GraphNotYet | Fault::GraphPermission | Fault::GraphRefused)
        );
        let (worker, task) = world.polled;
        let sent = ledger::Sent {
            at: world.now,
            worker,
            task,
            tenant: self.tenant,
            call: order.call(),
            what: order.what(),
            holding: order.holding().cloned(),
            request: order.request(),
            asks: order.asks(),
            surely_not,
        };
        world.ledger.sent.push(sent);
    }

    fn arrives(&self, world: &mut World, order: &Order, fault: Option<Fault>) -> Sent {
        let code = |code: &str| code.to_owned();
        let no = |status: u16, answer| Sent { answer, http_status: Some(status), graph_request_id: None };
        match fault {
            Some(Fault::GraphThrottled) => {
                self.of().paused_until = Some(world.now + SignedDuration::from_secs(15));
                no(429, Answer::Throttled { after: Some(duration::Duration::seconds(15)) })
            }
            Some(Fault::GraphNotYet) => no(404, Answer::NotYet { code: code("SubjectNotFound") }),
            Some(Fault::GraphPermission) => {
                let (code, detail) = (code("PermissionScopeNotGranted"), self.permission());
                no(403, Answer::TenantRefused { code, detail })
            }
            Some(Fault::GraphRefused) => no(
                400,
                Answer::Refused { code: code("RoleAssignmentRequestPolicyValidationFailed"), detail: code("no") },
            ),
            Some(Fault::GraphLostBefore) => unclear(None, "the connection broke"),
            Some(Fault::GraphLate) => {
                let at = world.now + SignedDuration::from_millis(world.rng.between(100, 29_000));
                world.late.push((at, Late { tenant: self.tenant, order: order.clone() }));
                unclear(Some(504), "gateway time-out")
            }
            _ => {
                let bend = bend(world, fault);
                let real = fault == Some(Fault::GraphValidates);
                let done = carry_out(world, self.tenant, order, bend, real);
                if fault == Some(Fault::GraphLostAfter) {
                    return unclear(None, "the answer broke off");
                }
                // PIM's no is told, so nothing was done.
                if let (Err(_), Some(sent)) = (&done, world.ledger.sent.last_mut()) {
                    sent.surely_not = true;
                }
                self.works();
                if real && order.what() == What::Validate {
                    return unclear(Some(201), "it does not say that it was only checked");
                }
                said(order, done)
            }
        }
    }

    /// When each of the three lists was as it is shown.
    fn moments(world: &mut World, fault: Option<Fault>) -> [Timestamp; 3] {
        let now = world.now;
        let lags = fault == Some(Fault::GraphLag);
        std::array::from_fn(|_| if lags { now - SignedDuration::from_secs(world.rng.between(0, 118)) } else { now })
    }
}

fn bend(world: &mut World, fault: Option<Fault>) -> Bend {
    match fault {
        Some(Fault::GraphOdd) => Bend::Odd,
        Some(Fault::GraphPending) => Bend::Pending(Some(world.rng.between(1, 90))),
        Some(Fault::GraphHangs) => Bend::Pending(None),
        Some(Fault::GraphEndsLate) => Bend::EndsLate,
        Some(Fault::GraphEndless) => Bend::Endless,
        Some(Fault::GraphFails) => Bend::Fails,
        _ => Bend::Not,
    }
}

/// What an order brings about at PIM. What was only to be checked is made all the same where PIM goes wrong that way.
pub fn carry_out(
    world: &mut World,
    tenant: usize,
    order: &Order,
    bend: Bend,
    real: bool,
) -> Result<Option<ScheduleRequest>, No> {
    let (now, request) = (world.now, order.request());
    let pim = &mut world.pims[tenant];
    let (answer, foreign) = match order {
        Order::Assign(order) if order.only_validate && !real => return Ok(None),
        Order::Sessions(_) => return Ok(None),
        Order::Assign(order) => {
            let bend = if order.only_validate { Bend::EndsLate } else { bend };
            (pim.assign(order, request, bend, now)?, false)
        }
        Order::Update(order) => {
            let anew = world.rng.chance(500);
            let (made, grant) = pim.update(order, anew, now)?;
            (made, pim.grants[grant].call.is_none())
        }
        Order::Remove(order) => {
            let (made, grant) = pim.remove(order, now)?;
            (made, pim.grants[grant].call.is_none())
        }
        Order::Cancel(id, _) => (pim.cancel(id, now)?, false),
    };
    if let Some(holding) = order.holding().cloned() {
        let (at, call, what) = (now, order.call(), order.what());
        world.ledger.done.push(Done { at, tenant, call, what, request, holding, foreign });
    }
    Ok(Some(answer))
}

fn not_sent(reason: &str) -> Sent {
    Sent { answer: Answer::NotSent { reason: reason.into() }, http_status: None, graph_request_id: None }
}

fn unclear(http_status: Option<u16>, reason: &str) -> Sent {
    Sent { answer: Answer::Unclear { reason: reason.into() }, http_status, graph_request_id: None }
}

/// What PIM says to what it did, or would not do.
fn said(order: &Order, done: Result<Option<ScheduleRequest>, No>) -> Sent {
    let look = |code: &str| Answer::Look { code: code.into() };
    let (answer, status) = match (order, done) {
        (_, Ok(Some(made))) => (Answer::Accepted(made), 201),
        (Order::Sessions(_), Ok(None)) => (Answer::Accepted(nothing_made(false)), 204),
        (_, Ok(None)) => (Answer::Accepted(nothing_made(true)), 201),
        (_, Err(No::Exists)) => (look("RoleAssignmentExists"), 400),
        (_, Err(No::Missing)) => (look("RoleAssignmentDoesNotExist"), 400),
        (_, Err(No::TooEarly)) => (Answer::TooEarly, 400),
        (_, Err(No::NotCancellable)) => (look("RoleAssignmentRequestCannotBeCancelled"), 400),
    };
    Sent { answer, http_status: Some(status), graph_request_id: None }
}

fn nothing_made(only_validated: bool) -> ScheduleRequest {
    ScheduleRequest {
        id: String::new(),
        action: ScheduleAction::Assign,
        progress: Progress::Done,
        status: "Provisioned".into(),
        justification: None,
        schedule_id: None,
        created_at: None,
        only_validated,
    }
}

impl Entra for ModelEntra {
    async fn look(&self, holding: &Holding) -> Result<Sighting, GraphError> {
        let look = |world: &mut World, fault| {
            let moments = Self::moments(world, fault);
            let now = world.now;
            world.ledger.looked.push((now, self.tenant, holding.clone()));
            let pim = &mut world.pims[self.tenant];
            pim.settle(now);
            pim.look(holding, moments)
        };
        self.asked("look", look).await
    }

    async fn everybody(&self, targets: &[Target]) -> Everybody {
        let read = |world: &mut World, fault| {
            let [moment, ..] = Self::moments(world, fault);
            let now = world.now;
            let pim = &mut world.pims[self.tenant];
            pim.settle(now);
            pim.everybody(moment)
        };
        match self.asked("everybody", read).await {
            Ok(mut held) => {
                held.retain(|held| targets.contains(&held.holding.target));
                Everybody { shown: Shown { held, read: targets.iter().cloned().collect() }, trouble: None }
            }
            Err(trouble) => Everybody { shown: Shown::default(), trouble: Some(trouble) },
        }
    }

    async fn assign(&self, order: &AssignOrder, send_not_after: Duration) -> Sent {
        self.sent(Order::Assign(order.clone()), send_not_after).await
    }

    async fn update(&self, order: &UpdateOrder, send_not_after: Duration) -> Sent {
        self.sent(Order::Update(order.clone()), send_not_after).await
    }

    async fn remove(&self, order: &RemoveOrder, send_not_after: Duration) -> Sent {
        self.sent(Order::Remove(order.clone()), send_not_after).await
    }

    async fn cancel(&self, _: &Target, schedule_request_id: &str, call_id: Uuid, send_not_after: Duration) -> Sent {
        self.sent(Order::Cancel(schedule_request_id.to_owned(), call_id), send_not_after).await
    }

    async fn revoke_sessions(&self, _: ObjectId, call_id: Uuid, send_not_after: Duration) -> Sent {
        self.sent(Order::Sessions(call_id), send_not_after).await
    }

    async fn find_principal(&self, text: &str, kinds: &[PrincipalKind]) -> Result<Lookup, GraphError> {
        let Ok(id) = text.parse() else { return Ok(Lookup::Nobody) };
        self.find_by_id(id, kinds).await
    }

    async fn find_by_id(&self, id: ObjectId, _: &[PrincipalKind]) -> Result<Lookup, GraphError> {
        self.asked("find-principal", |_, _| people::user(id).map_or(Lookup::Nobody, Lookup::One)).await
    }

    async fn find_by_mail(&self, mail: &str) -> Result<Vec<ObjectId>, GraphError> {
        self.asked("find-by-mail", |_, _| people::by_mail(mail)).await
    }

    async fn groups_among(&self, _: ObjectId, _: &[ObjectId]) -> Result<Vec<ObjectId>, GraphError> {
        self.asked("groups", |_, _| vec![]).await
    }

    async fn groups_of(
        &self,
        _: (ObjectId, Option<PrincipalKind>),
        _: &[ObjectId],
    ) -> Result<Vec<ObjectId>, GraphError> {
        self.asked("groups", |_, _| vec![]).await
    }

    async fn holds_any(&self, _: ObjectId, _: &[ObjectId]) -> Result<bool, GraphError> {
        self.asked("groups", |_, _| false).await
    }

    async fn policy(&self, _: &Target) -> Result<Option<PimPolicy>, GraphError> {
        let policy = || PimPolicy { maximum: None, expiration_required: true, demands: vec![] };
        self.asked("policy", |_, _| Some(policy())).await
    }

    async fn composition(&self, _: &Target) -> Result<Composition, GraphError> {
        self.asked("composition", |_, _| Composition::default()).await
    }

    fn may_send(&self, _: &Target, _: Way) -> Result<(), GraphError> {
        let now = self.scene.world().now;
        let left = self.of().paused_until.map(|until| until.duration_since(now).as_secs()).filter(|left| *left > 0);
        match left.and_then(|left| u32::try_from(left).ok()) {
            Some(left) => Err(GraphError::Throttled { after: Some(duration::Duration::seconds(left)) }),
            None => Ok(()),
        }
    }

    fn seconds_ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    fn has_news(&self) -> bool {
        !self.of().news.is_empty()
    }

    fn take_news(&self) -> Vec<News> {
        std::mem::take(&mut self.of().news)
    }

    fn untold(&self, mut news: Vec<News>) {
        let mut told = self.of();
        news.append(&mut told.news);
        told.news = news;
    }
}
