//! Compiles the contracts with protox, so that no protoc is needed, and writes one trait implementation per mutating
//! request.

use std::{collections::BTreeMap, env, error::Error, fmt::Write as _, fs, path::PathBuf};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use protox::prost_reflect::{DescriptorPool, Kind, MessageDescriptor, Value};

const PACKAGES: [&str; 6] = [
    "common",
    "invitation",
    "onboarding",
    "operations",
    "payments",
    "referral",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    for package in PACKAGES {
        for entry in fs::read_dir(format!("vouch/{package}/v1"))? {
            files.push(entry?.path());
        }
    }
    files.sort();
    println!("cargo::rerun-if-changed=vouch");

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;
    // The encoded form keeps custom options, which the decoded one drops; reflection serves the encoded form.
    fs::write(out_dir.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
    let descriptors = compiler.file_descriptor_set();
    fs::write(out_dir.join("mutations.rs"), mutations(&descriptors)?)?;

    let pool = compiler.descriptor_pool();
    fs::write(out_dir.join("policies.rs"), policies(&pool)? + &named_fields(&pool)?)?;

    let mut config = prost_build::Config::new();
    config.enable_type_names();
    // A form holds what no log may show; `src/tax.rs` writes what is shown of it.
    config.skip_debug(["vouch.common.v1.TaxForm"]);
    let descriptors = FileDescriptorSet::decode(descriptors.encode_to_vec().as_slice())?;
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}

/// The table of who may call what, sorted by path, from the methods' option `vouch.common.v1.access`.
fn policies(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let option = pool
        .get_extension_by_name("vouch.common.v1.access")
        .ok_or("no option access")?;
    let mut rows = BTreeMap::new();
    for service in pool.services() {
        for method in service
            .methods()
            .filter(|method| method.options().has_extension(&option))
        {
            let value = method.options().get_extension(&option).into_owned();
            let access = value.as_message().ok_or("access is a message")?;
            let text = |name: &str| {
                access
                    .get_field_by_name(name)
                    .and_then(|value| value.as_str().map(str::to_owned))
            };
            let services = access.get_field_by_name("services");
            let services = services.as_deref().and_then(Value::as_list).unwrap_or_default();
            let services: Vec<&str> = services.iter().filter_map(Value::as_str).collect();
            let anyone = access
                .get_field_by_name("anyone")
                .is_some_and(|value| value.as_bool() == Some(true));
            let (client, person) = (text("client").unwrap_or_default(), text("person").unwrap_or_default());
            for field in [&client, &person].into_iter().filter(|field| !field.is_empty()) {
                if method.input().get_field_by_name(field).is_none() {
                    return Err(format!("{}: the request has no field {field}", method.full_name()).into());
                }
            }
            let path = format!("/{}/{}", service.full_name(), method.name());
            let row = format!(
                "Access {{ path: {path:?}, anyone: {anyone}, services: &{services:?}, client: {client:?}, person: {person:?} }},"
            );
            rows.insert(path, row);
        }
    }
    let rows: Vec<String> = rows.into_values().collect();
    Ok(format!(
        "pub(super) static POLICIES: &[Access] = &[\n{}\n];\n",
        rows.join("\n")
    ))
}

/// Lets the field of a request be read that a policy names.
fn named_fields(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    let inputs: BTreeMap<String, MessageDescriptor> = pool
        .services()
        .flat_map(|service| service.methods().map(|method| method.input()).collect::<Vec<_>>())
        .filter(|input| input.package_name().starts_with("vouch."))
        .map(|input| (input.full_name().to_owned(), input))
        .collect();
    for input in inputs.values() {
        let module = input.package_name().replace('.', "::");
        let module = format!("crate::{}", module.trim_start_matches("vouch::"));
        writeln!(code, "impl NamedFields for {module}::{} {{", input.name())?;
        writeln!(code, "    fn named(&self, field: &str) -> &str {{ match field {{")?;
        for field in input
            .fields()
            .filter(|field| field.kind() == Kind::String && !field.is_list())
        {
            let name = field.name();
            match field.containing_oneof() {
                None => writeln!(code, "        {name:?} => &self.{name},")?,
                Some(oneof) => {
                    let of = format!("{module}::{}::{}", snake(input.name()), camel(oneof.name()));
                    let one = format!("Some({of}::{}(text))", camel(name));
                    writeln!(
                        code,
                        "        {name:?} => if let {one} = &self.{} {{ text }} else {{ \"\" }},",
                        oneof.name()
                    )?;
                }
            }
        }
        writeln!(code, "        _ => \"\",\n    }} }}\n}}")?;
    }
    Ok(code)
}

fn camel(snake: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    snake.split('_').map(capital).collect()
}

fn snake(camel: &str) -> String {
    let mut text = String::new();
    for letter in camel.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// A request is a mutation if it has a `request_id`; so the trait cannot be forgotten for a new one.
fn mutations(descriptors: &FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    for file in &descriptors.file {
        let module = file.package().replace('.', "::");
        let module = module.trim_start_matches("vouch::");
        for message in &file.message_type {
            if message.field.iter().any(|field| field.name() == "request_id") {
                writeln!(
                    code,
                    "impl Mutation for {module}::{name} {{ fn request_id(&self) -> &str {{ &self.request_id }} }}",
                    name = message.name()
                )?;
            }
        }
    }
    Ok(code)
}
