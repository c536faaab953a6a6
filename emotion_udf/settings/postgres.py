"""Settings of the copies in PostgreSQL, `conf/postgres.toml`."""

from pydantic import Field, model_validator

from emotion_udf.masking import holds_secret
from emotion_udf.settings.section import Section


class PostgresSettings(Section):
    """The PostgreSQL database that takes copies. A password is never in the settings; needs the extra `postgres`."""

    connection: str = Field(
        default="",
        description="libpq's connection string, such as 'host=db.example dbname=analytics user=emotions "
        "sslmode=verify-full', or a URI; what it leaves out comes from PGHOST and its like, from a service file and "
        "from ~/.pgpass, the password always",
    )
    schema_name: str = Field(
        default="emotions",
        pattern="^[a-z_][a-z0-9_]{0,62}$",
        description="the schema of the copies, made where it is missing and the user may",
    )
    connect_timeout_s: int = Field(default=10, ge=2, description="seconds to wait for a server that does not answer")
    lock_timeout_s: int = Field(
        default=60, ge=1, description="seconds to wait for another publisher, or for who else locks the tables"
    )
    statement_timeout_s: int = Field(default=600, ge=1, description="seconds that one statement may take")

    @model_validator(mode="after")
    def _no_password(self) -> "PostgresSettings":
        if holds_secret(self.connection):
            raise ValueError(
                "expected no password in connection, found one; give it by PGPASSWORD, by ~/.pgpass (or the file that "
                "PGPASSFILE names), or by a service file"
            )
        return self
