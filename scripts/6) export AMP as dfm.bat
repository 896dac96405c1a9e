@echo off
rem 6) export AMP as dfm (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" exportdfm --model-dir "%DFL_WORKSPACE%\model" --model AMP %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
