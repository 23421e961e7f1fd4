"""The settings of the prompt backend."""

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from backends.prompt.content_settings import ContentSettings
from shared.settings import check_address

OPENAI_URL = "https://api.openai.com/v1"
# The largest limit that is one.
MOST = 10**12
OLLAMA_URL = "http://localhost:11434/v1"
# How an answer that fits the schema is asked for, in the order in which they are tried.
SchemaMode = Literal["json_schema", "tool", "json_object", "words"]


def _names(*names: str) -> Any:
    """The variable of ours, then the names that Label Studio's own example and others use."""
    return AliasChoices(*names)


class PromptSettings(ContentSettings):
    """Environment variables PROMPT_…"""

    model_config = SettingsConfigDict(
        env_prefix="PROMPT_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    model: str = Field(
        "",
        validation_alias=_names("PROMPT_MODEL", "OPENAI_MODEL"),
        description="A model of the server at PROMPT_BASE_URL; or `hf:` and a transformers model"
        " that runs here; or `starter`, a few rules for the demo; empty: none",
    )
    provider: Literal["openai", "azure", "ollama"] = Field(
        "openai",
        validation_alias=_names("PROMPT_PROVIDER", "OPENAI_PROVIDER"),
        description="openai: any OpenAI-compatible server; azure: AZURE_RESOURCE_ENDPOINT; ollama:"
        " OLLAMA_ENDPOINT",
    )
    base_url: str | None = Field(
        None,
        validation_alias=_names("PROMPT_BASE_URL", "OPENAI_BASE_URL"),
        description="An OpenAI-compatible address, e.g. http://localhost:11434/v1, the only one"
        " that gets what tasks show; empty: OpenAI's",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias=_names("PROMPT_API_KEY", "OPENAI_API_KEY"),
        description="The key that is sent there",
    )
    ollama_endpoint: str | None = Field(
        None,
        validation_alias=_names("PROMPT_OLLAMA_ENDPOINT", "OLLAMA_ENDPOINT"),
        description=f"Also OLLAMA_ENDPOINT: Ollama's address; empty: {OLLAMA_URL}",
    )
    azure_resource_endpoint: str | None = Field(
        None,
        validation_alias=_names("PROMPT_AZURE_RESOURCE_ENDPOINT", "AZURE_RESOURCE_ENDPOINT"),
        description="Also AZURE_RESOURCE_ENDPOINT, e.g. https://NAME.openai.azure.com",
    )
    azure_deployment_endpoint: str | None = Field(
        None,
        validation_alias=_names("PROMPT_AZURE_DEPLOYMENT_ENDPOINT", "AZURE_DEPLOYMENT_ENDPOINT"),
        description="Also AZURE_DEPLOYMENT_ENDPOINT: the whole address of a deployment, in place of"
        " the two others",
    )
    azure_deployment: str | None = Field(
        None,
        validation_alias=_names(
            "PROMPT_AZURE_DEPLOYMENT", "AZURE_DEPLOYMENT_NAME", "AZURE_DEPLOYMENT"
        ),
        description="Also AZURE_DEPLOYMENT_NAME; empty: the model's name",
    )
    azure_api_version: str = Field(
        "2024-10-21",
        validation_alias=_names("PROMPT_AZURE_API_VERSION", "AZURE_API_VERSION"),
        description="Also AZURE_API_VERSION",
    )
    azure_api_key: SecretStr | None = Field(
        None,
        validation_alias=_names("PROMPT_AZURE_API_KEY", "AZURE_API_KEY"),
        description="Also AZURE_API_KEY; empty: PROMPT_API_KEY",
    )
    timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds for one answer of the server to arrive"
    )
    retries: int = Field(
        3,
        ge=0,
        le=10,
        description="How often a question is asked again where that can help: the server is busy,"
        " fails or cannot be reached",
    )
    concurrency: int = Field(
        8, ge=1, le=256, description="Questions at the same time, in each worker"
    )
    rpm: int = Field(
        0,
        ge=0,
        le=MOST,
        description="Questions a minute, of all workers together; 0: any number",
    )
    tpm: int = Field(
        0, ge=0, le=MOST, description="Tokens a minute, of all workers together; 0: any number"
    )
    max_tokens_per_day: int = Field(
        0,
        ge=0,
        le=MOST,
        description="Tokens a day (UTC), counted in CACHE_DIR for all workers and commands that"
        " share it; 0: any number",
    )
    max_tokens: int = Field(
        0, ge=0, le=MOST, description="Tokens of one answer at most; 0: what the server allows"
    )
    schema_mode: Literal["auto", "json_schema", "tool", "json_object", "words"] = Field(
        "auto",
        description="How an answer of the right form is asked for: by response_format json_schema,"
        " a tool call, response_format json_object, or in words; auto: the first of these that the"
        " server takes",
    )
    temperature: float = Field(
        0.0,
        ge=0,
        le=2,
        validation_alias=_names("PROMPT_TEMPERATURE", "TEMPERATURE"),
        description="0: the likeliest answer",
    )
    samples: int = Field(
        1,
        ge=1,
        le=16,
        validation_alias=_names("PROMPT_SAMPLES", "NUM_RESPONSES"),
        description="Answers asked for; their agreement is the score. They are made at a"
        " temperature of 0.7 where none is set",
    )
    logprobs: bool = Field(
        True,
        description="Ask for the probabilities of an answer's tokens, from which its scores are"
        " made; servers that have none are asked without",
    )
    context_tokens: int = Field(
        8192,
        ge=512,
        le=2_000_000,
        description="Tokens that a question takes at most; longer texts are asked about in windows",
    )
    train_questions: int = Field(
        240,
        ge=30,
        description="Questions that a training asks at most, to choose examples and a wording",
    )
    one_question: bool = Field(
        True, description="Ask for all control tags in one question; false: one question for each"
    )

    instruction: str = Field(
        "",
        validation_alias=_names("PROMPT_INSTRUCTION", "DEFAULT_PROMPT"),
        description="What annotators are told: a text, or the path of a .txt or .md file; it stands"
        " before what the label config says",
    )
    prefix: str = Field(
        "prompt",
        description="A TextArea whose name begins so holds what the annotator asks for, if there is"
        " anything else to fill",
    )
    tag: str = Field("", description="The name of such a TextArea, beside PROMPT_PREFIX")

    @field_validator(
        "base_url", "ollama_endpoint", "azure_resource_endpoint", "azure_deployment_endpoint"
    )
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        address, parts = check_address(value, "http://localhost:11434/v1"), urlsplit(value)
        if parts.username or parts.password:
            # They would be sent in place of the key.
            raise ValueError("expected an address without a password: PROMPT_API_KEY has the key")
        return address

    @model_validator(mode="after")
    def _check_provider(self) -> "PromptSettings":
        if self.provider != "azure":
            return self
        if not self.model and self.azure_deployment:
            self.model = self.azure_deployment
        if self.model and not (self.azure_resource_endpoint or self.azure_deployment_endpoint):
            raise ValueError("azure needs AZURE_RESOURCE_ENDPOINT or AZURE_DEPLOYMENT_ENDPOINT")
        return self

    @property
    def server_url(self) -> str:
        """The only address that is asked."""
        if self.provider == "azure":
            endpoint = self.azure_deployment_endpoint
            root = f"{self.azure_resource_endpoint}/openai/deployments"
            return endpoint or f"{root}/{self.azure_deployment or self.model}"
        if self.provider == "ollama":
            return self.base_url or self.ollama_endpoint or OLLAMA_URL
        return self.base_url or OPENAI_URL

    @property
    def needs_key(self) -> bool:
        """Whether the server is one that answers nobody without a key."""
        return self.provider == "azure" or self.server_url == OPENAI_URL

    @property
    def server_key(self) -> str:
        """The key that is sent there; empty if there is none."""
        azure = self.azure_api_key if self.provider == "azure" else None
        key = azure or self.api_key
        return key.get_secret_value() if key else ""
