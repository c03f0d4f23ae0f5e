DROP TABLE chat_messages_chatmessage;
