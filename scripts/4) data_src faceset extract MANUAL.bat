@echo off
rem 4) data_src faceset extract MANUAL (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" extract --input-dir "%DFL_WORKSPACE%\data_src" --output-dir "%DFL_WORKSPACE%\data_src\aligned" --detector manual %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
