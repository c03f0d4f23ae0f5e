DROP TABLE prompts_prompt;
