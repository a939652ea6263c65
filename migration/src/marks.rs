//! Triggers that mark what a change touches, for sums that are made from the rows of a table.

/// The triggers of one table that write marks.
pub(crate) struct Mark {
    pub(crate) table: &'static str,
    /// The column of the marks.
    pub(crate) column: &'static str,
    /// Selects what an inserted row touches. `ROWS` stands for the inserted rows, with the name `r`.
    pub(crate) added: &'static [&'static str],
    /// The columns whose change touches something; empty for a table whose rows never change.
    pub(crate) watched: &'static [&'static str],
    /// Selects what a changed row touches, with `NEW` and `OLD`.
    pub(crate) changed: &'static [&'static str],
    /// Selects what a deleted row touches, with `OLD`; empty for a table whose rows are never deleted.
    pub(crate) deleted: &'static [&'static str],
}

impl Mark {
    /// Returns the statements that create the triggers.
    pub(crate) fn create(&self, postgres: bool) -> Vec<String> {
        let table = self.table;
        let mut statements = Vec::new();
        for (name, event, touched) in self.triggers() {
            let body = self.insert(touched, postgres);
            let condition = if event == "UPDATE" { format!("WHEN ({})", self.condition()) } else { String::new() };
            if !postgres {
                statements
                    .push(format!("CREATE TRIGGER {name} AFTER {event} ON {table} {condition} BEGIN {body}; END"));
                continue;
            }
            let rows = match event {
                // One statement for all rows of an insert; transition tables do not allow a list of columns.
                "INSERT" => "REFERENCING NEW TABLE AS added FOR EACH STATEMENT",
                _ => "FOR EACH ROW",
            };
            statements.push(function(&name, &body));
            statements.push(format!(
                "CREATE TRIGGER {name} AFTER {event} ON {table} {rows} {condition} EXECUTE FUNCTION {name}()"
            ));
        }
        statements
    }

    /// Returns the triggers, each as its name, its event and the selections of what it marks.
    fn triggers(&self) -> impl Iterator<Item = (String, &'static str, &'static [&'static str])> {
        let all =
            [("added", "INSERT", self.added), ("changed", "UPDATE", self.changed), ("deleted", "DELETE", self.deleted)];
        let table = self.table;
        let all = all.into_iter().filter(|(.., touched)| !touched.is_empty());
        all.map(move |(name, event, touched)| (format!("mark_{name}_{table}"), event, touched))
    }

    /// Returns the condition on which a changed row touches something.
    fn condition(&self) -> String {
        let watched = self.watched.iter().map(|column| format!("OLD.{column} IS DISTINCT FROM NEW.{column}"));
        watched.collect::<Vec<_>>().join(" OR ")
    }

    /// Returns the statement that inserts the marks of `touched`.
    fn insert(&self, touched: &[&str], postgres: bool) -> String {
        let Mark { table, column, .. } = self;
        let touched = touched.join(" UNION ");
        if postgres {
            let touched =
                days(&touched.replace("ROWS", "added r"), |at| format!("CAST({at} AT TIME ZONE 'UTC' AS date)"));
            return format!(
                "INSERT INTO analytics_marks (id, {column}) SELECT gen_random_uuid(), d.touched FROM (SELECT DISTINCT \
                 t.touched FROM ({touched}) AS t(touched)) AS d WHERE d.touched IS NOT NULL"
            );
        }
        // With one writer at a time a mark that is there cannot be in use.
        let rows = format!("(SELECT 1) JOIN {table} r ON r.rowid = NEW.rowid");
        let touched = days(&touched.replace("ROWS", &rows), |at| format!("substr({at}, 1, 10)"));
        format!(
            "INSERT INTO analytics_marks (id, {column}) SELECT randomblob(16), t.touched \
             FROM (SELECT NULL AS touched UNION {touched}) AS t WHERE t.touched IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM analytics_marks m WHERE m.{column} = t.touched)"
        )
    }

    /// Returns the statements that drop the triggers.
    pub(crate) fn drop(&self, postgres: bool) -> Vec<String> {
        let table = self.table;
        let both = |name: String| match postgres {
            true => vec![format!("DROP TRIGGER {name} ON {table}"), format!("DROP FUNCTION {name}()")],
            false => vec![format!("DROP TRIGGER {name}")],
        };
        self.triggers().flat_map(|(name, ..)| both(name)).collect()
    }
}

fn function(name: &str, body: &str) -> String {
    format!("CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$")
}

/// Replaces each `DAY(…)` by the UTC day of the instant.
fn days(sql: &str, day: impl Fn(&str) -> String) -> String {
    let mut parts = sql.split("DAY(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (at, rest) = part.split_once(')').unwrap_or((part, ""));
        text.push_str(&day(at));
        text.push_str(rest);
    }
    text
}
