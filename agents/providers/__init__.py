"""Models behind an API: over plain HTTP, or through the SDKs of OpenAI, Anthropic and LiteLLM."""
