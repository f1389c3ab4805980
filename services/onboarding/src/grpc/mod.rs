//! Commands in: parse, call, wrap. One file per gRPC service; [`convert`] is the boundary between wire and domain.

mod accounts;
mod cases;
mod convert;
mod documents;
mod downloads;
mod profiles;
mod task_templates;
mod tasks;
mod taxes;
mod uploads;

pub use accounts::Accounts;
pub use cases::Cases;
pub use documents::Documents;
pub use profiles::Profiles;
pub use task_templates::TaskTemplates;
pub use tasks::Tasks;
pub use taxes::Taxes;
