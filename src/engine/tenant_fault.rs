//! What calls say about a tenant as a whole: one finding of each kind for as long as it lasts, and none of what waits for
//! it forgotten once it is mended.

use serde_json::json;
use tracing::{info, warn};

use super::{Engine, Entra, Ports, Records, Tenant};
use crate::{
    domain::id::TenantName,
    graph::{News, TenantFault},
    store::{NewFinding, StoreError},
};

impl<P: Ports> Engine<P> {
    /// Records what calls have told of any tenant since this was last done.
    pub(super) async fn mind_tenants(&self) {
        for (name, tenant) in &self.tenants {
            if tenant.graph.has_news() {
                self.mind(name, tenant).await;
            }
        }
    }

    /// What cannot be recorded now is kept for the next step.
    async fn mind(&self, name: &TenantName, tenant: &Tenant<P::Entra>) {
        let _in_order = self.telling.lock().await;
        let mut news = tenant.graph.take_news();
        while let Some(first) = news.first() {
            if let Err(problem) = self.tell(name, first).await {
                warn!(tenant = %name, %problem, "a finding is not recorded yet");
                return tenant.graph.untold(news);
            }
            news.remove(0);
        }
    }

    async fn tell(&self, name: &TenantName, news: &News) -> Result<(), StoreError> {
        let now = self.clock.now();
        match news {
            News::Broken { part, fault, detail } => {
                let detail = json!({ "what": words(*fault), "answer": detail });
                let finding = NewFinding { kind: fault.code(), detail };
                if self.store.raise_of_tenant(name, part, &finding, now).await? {
                    warn!(tenant = %name, part, kind = finding.kind, "the tenant refuses stint; that part is stopped");
                }
            }
            News::Works { part } => {
                for kind in self.store.clear_of_tenant(name, part, now).await? {
                    info!(tenant = %name, part, kind, "the tenant serves stint again");
                    self.wake.notify_one();
                }
            }
        }
        Ok(())
    }
}

fn words(fault: TenantFault) -> &'static str {
    match fault {
        TenantFault::Licence => "the tenant has no licence for PIM; what is to be assigned or ended there waits",
        TenantFault::Permission => "stint's application lacks a permission; what needs it waits",
        TenantFault::Credential => "Entra refuses stint's application; what rests on this tenant waits",
    }
}
