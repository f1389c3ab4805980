//! Commands in: parse, call, wrap. One file per gRPC service; [`convert`] is the boundary between wire and domain.

mod accounts;
mod cases;
mod convert;
mod profiles;
mod task_templates;
mod tasks;
mod taxes;

pub use accounts::Accounts;
pub use cases::Cases;
pub use profiles::Profiles;
pub use task_templates::TaskTemplates;
pub use tasks::Tasks;
pub use taxes::Taxes;
