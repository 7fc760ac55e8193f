"""Local models on torch and transformers.

One device thread serves many agents, with prefixes that stay in the cache and a random stream of
its own for every reply.  To read it in an evening, in this order:

1. From a request to a job.  model.py is the door, and imports torch only when a model is used;
   settings.py reads what stands behind a reference, loading.py the weights, prompts.py makes tokens
   of messages, configured.py says what a model's files ask for, answers.py makes replies.
2. One step after another.  engine.py has the thread (engines.py one a device), drafts.py the reply
   in the making, queue.py whose turn it is, seating.py which row it gets and what of it is there
   already.  steps.py is the loop: planning.py chooses the lanes of a step, stopping.py says when a
   reply has ended, speculation.py guesses tokens, faults.py names what goes wrong, device_work.py
   hands results to those who wait.
3. From logits to a token.  choosing.py draws, logit_rules.py and ruling.py change logits before
   that, measures.py takes numbers off them, drawing.py does all of it for a step.
4. Rows.  rows.py says what a step asks of them; cache.py keeps them in one block (row_attention.py
   attends over it), and sizing.py chooses a kind, makes it as large as memory allows, and compares
   it with transformers.
5. On a GPU.  lane_inputs.py is what a step reads there, pages.py shares memory out, lanes.py
   captures steps as graphs, forward.py runs models over pages, kernels.py and draw_kernels.py are
   its kernels, and plain.py does the same in plain torch, which tests compare.

Beside the engine: weights/ (which files, adapters, few bits), readouts/ (given replies and pairs of
texts are measured), decoding/ (other ways from logits to tokens).
"""
