"""Call models behind an API: by plain HTTP, or with the SDKs of OpenAI, Anthropic and LiteLLM."""
